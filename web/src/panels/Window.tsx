/** Where everything stands: the bar above, the rail and its drawer at the side, the canvas, and what lies over it. */

import { useTab } from "@/state/workbench";
import { dismiss, useToasts } from "@/state/toasts";
import { t } from "@/texts/index";
import { ConfirmHost } from "@/ui/Confirm";
import { Toasts } from "@/ui/Toasts";
import { Canvas } from "@/view/Canvas";

import { Dialogs } from "./dialogs/Dialogs";
import { Drawers } from "./Drawers";
import { ClipboardEvents } from "./files/ClipboardEvents";
import { DropArea } from "./files/DropArea";
import { LookHost } from "./gallery/LookHost";
import { Keyboard } from "./Keyboard";
import { Notices } from "./Notices";
import { Palette } from "./palette/Palette";
import { ProblemList } from "./problems/ProblemList";
import { Rail } from "./Rail";
import { StartPage } from "./StartPage";
import { TopBar } from "./TopBar";
import styles from "./Window.module.css";

export function Window() {
  const hasTab = useTab(() => true) ?? false;
  const { toasts } = useToasts();
  return (
    <DropArea>
      <div className={styles.window}>
        <TopBar />
        <Notices />
        <div className={styles.middle}>
          <Rail />
          <Drawers />
          <main className={styles.stage} aria-label={t("window.canvas")}>
            {hasTab ? <Canvas /> : <StartPage />}
            {hasTab && <ProblemList />}
          </main>
        </div>
      </div>
      <Palette />
      <Dialogs />
      <LookHost />
      <ConfirmHost />
      <Toasts toasts={toasts} onDismiss={dismiss} />
      <Keyboard />
      <ClipboardEvents />
    </DropArea>
  );
}
