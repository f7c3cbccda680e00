/** A line of text, or several. */

import type { Ref } from "react";
import {
  FieldError,
  Input,
  Label,
  Text,
  TextArea,
  TextField as AriaTextField,
  type TextFieldProps as AriaTextFieldProps,
} from "react-aria-components";

import styles from "./Field.module.css";

interface TextFieldProps extends Omit<AriaTextFieldProps, "children" | "className" | "style" | "isInvalid"> {
  readonly label: string;
  /** The label is read to screen readers but not drawn. */
  readonly isLabelHidden?: boolean;
  readonly placeholder?: string;
  readonly description?: string | undefined;
  /** What is wrong with the value; null or left out: nothing. */
  readonly error?: string | null;
  readonly rows?: number | undefined;
  readonly inputRef?: Ref<HTMLInputElement>;
}

export function TextField(props: TextFieldProps) {
  const { label, isLabelHidden = false, placeholder = "", description, error = null, rows, inputRef, ...rest } = props;
  return (
    <AriaTextField
      {...rest}
      {...(isLabelHidden ? { "aria-label": label } : {})}
      isInvalid={error !== null}
      className={styles.field ?? ""}
    >
      {!isLabelHidden && <Label className={styles.label ?? ""}>{label}</Label>}
      {rows === undefined ? (
        <Input className={styles.box ?? ""} placeholder={placeholder} {...(inputRef ? { ref: inputRef } : {})} />
      ) : (
        <TextArea className={styles.box ?? ""} placeholder={placeholder} rows={rows} />
      )}
      {description !== undefined && error === null && (
        <Text slot="description" className={styles.description ?? ""}>
          {description}
        </Text>
      )}
      <FieldError className={styles.error ?? ""}>{error}</FieldError>
    </AriaTextField>
  );
}
