/** One of a few choices. For hundreds, with search, see the choice widget. */

import { Check, ChevronDown } from "lucide-react";
import { Button, Label, ListBox, ListBoxItem, Popover, Select as AriaSelect, SelectValue } from "react-aria-components";

import { classes } from "./class_names";
import fieldStyles from "./Field.module.css";
import { Icon } from "./Icon";
import menuStyles from "./Menu.module.css";
import styles from "./Select.module.css";

interface SelectOption<Id extends string> {
  readonly id: Id;
  readonly label: string;
}

interface SelectProps<Id extends string> {
  readonly label: string;
  readonly isLabelHidden?: boolean;
  readonly value: Id | null;
  readonly options: readonly SelectOption<Id>[];
  readonly onChange: (value: Id) => void;
  readonly isDisabled?: boolean;
}

export function Select<Id extends string>(props: SelectProps<Id>) {
  const { label, isLabelHidden = false, value, options, onChange, isDisabled = false } = props;
  const choose = (key: string | number | null) => {
    const chosen = options.find((each) => each.id === key);
    if (chosen !== undefined) onChange(chosen.id);
  };
  return (
    <AriaSelect
      {...(isLabelHidden ? { "aria-label": label } : {})}
      value={value}
      onChange={choose}
      isDisabled={isDisabled}
      className={fieldStyles.field ?? ""}
    >
      {!isLabelHidden && <Label className={fieldStyles.label ?? ""}>{label}</Label>}
      <Button className={classes(fieldStyles.box, styles.button)}>
        <SelectValue className={styles.value ?? ""} />
        <Icon icon={ChevronDown} size={14} className={fieldStyles.icon} />
      </Button>
      <Popover className={classes(menuStyles.popover, styles.popover)} offset={4}>
        <ListBox className={styles.list ?? ""} items={options}>
          {(option) => (
            <ListBoxItem id={option.id} textValue={option.label} className={menuStyles.item ?? ""}>
              {({ isSelected }) => (
                <>
                  <span className={menuStyles.icon}>{isSelected && <Icon icon={Check} />}</span>
                  <span className={menuStyles.label}>{option.label}</span>
                </>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}
