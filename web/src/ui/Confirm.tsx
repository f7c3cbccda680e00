/** Asks yes or no: `if (await confirm({ title, text, action }))`. `<ConfirmHost/>` stands once in the window. */

import { create } from "zustand";

import { t } from "@/texts/index";

import { Button } from "./Button";
import { Dialog } from "./Dialog";
import styles from "./Dialog.module.css";

interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button says that goes on: a verb. */
  readonly action: string;
  readonly tone?: "danger";
}

interface Asked extends Question {
  readonly answer: (yes: boolean) => void;
}

const useQuestion = create<{ readonly asked: Asked | null }>()(() => ({ asked: null }));

/** A question asked while another is open answers the older one with no. */
export function confirm(question: Question): Promise<boolean> {
  close(false);
  return new Promise((answer) => useQuestion.setState({ asked: { ...question, answer } }));
}

function close(yes: boolean): void {
  const { asked } = useQuestion.getState();
  useQuestion.setState({ asked: null });
  asked?.answer(yes);
}

export function ConfirmHost() {
  const asked = useQuestion((state) => state.asked);
  if (asked === null) return null;
  const footer = (
    <>
      <Button onPress={() => close(false)}>{t("ui.cancel")}</Button>
      <Button variant={asked.tone === "danger" ? "danger" : "primary"} autoFocus onPress={() => close(true)}>
        {asked.action}
      </Button>
    </>
  );
  return (
    <Dialog title={asked.title} isOpen onClose={() => close(false)} size="sm" role="alertdialog" footer={footer}>
      <p className={styles.text}>{asked.text}</p>
    </Dialog>
  );
}
