/** Where one types what to look for; Escape empties it. */

import { Search, X } from "lucide-react";
import type { KeyboardEventHandler, Ref } from "react";
import { Button, Group, Input, SearchField as AriaSearchField } from "react-aria-components";

import { t } from "@/texts/index";

import styles from "./Field.module.css";
import { Icon } from "./Icon";

interface SearchFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** What is searched, for screen readers. */
  readonly label: string;
  readonly placeholder?: string;
  readonly autoFocus?: boolean;
  readonly onSubmit?: (value: string) => void;
  /** Sees keys before the field does: arrows that move through results. */
  readonly onKeyDownCapture?: KeyboardEventHandler<HTMLDivElement>;
  readonly inputRef?: Ref<HTMLInputElement>;
}

export function SearchField(props: SearchFieldProps) {
  const { value, onChange, label, placeholder = "", autoFocus = false, onSubmit, onKeyDownCapture, inputRef } = props;
  return (
    <AriaSearchField
      value={value}
      onChange={onChange}
      aria-label={label}
      autoFocus={autoFocus}
      className={styles.field ?? ""}
      {...(onSubmit === undefined ? {} : { onSubmit })}
    >
      <Group className={styles.box ?? ""} {...(onKeyDownCapture === undefined ? {} : { onKeyDownCapture })}>
        <Icon icon={Search} className={styles.icon} />
        <Input className={styles.input ?? ""} placeholder={placeholder} {...(inputRef ? { ref: inputRef } : {})} />
        <Button className={styles.clear ?? ""} aria-label={t("ui.clear")}>
          <Icon icon={X} size={14} />
        </Button>
      </Group>
    </AriaSearchField>
  );
}
