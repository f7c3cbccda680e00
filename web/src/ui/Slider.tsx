/** A number in a range, where the place matters more than the digits. */

import { Label, Slider as AriaSlider, SliderOutput, SliderThumb, SliderTrack } from "react-aria-components";

import styles from "./Slider.module.css";

interface SliderProps {
  readonly label: string;
  readonly isLabelHidden?: boolean;
  readonly value: number;
  readonly onChange: (value: number) => void;
  /** When the pointer lets go. */
  readonly onChangeEnd?: (value: number) => void;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly formatOptions?: Intl.NumberFormatOptions;
  readonly isDisabled?: boolean;
}

export function Slider(props: SliderProps) {
  const { label, isLabelHidden = false, value, onChange, onChangeEnd, min = 0, max = 100, step = 1 } = props;
  const { formatOptions, isDisabled = false } = props;
  return (
    <AriaSlider
      {...(isLabelHidden ? { "aria-label": label } : {})}
      value={value}
      onChange={onChange}
      minValue={min}
      maxValue={max}
      step={step}
      isDisabled={isDisabled}
      className={styles.slider ?? ""}
      {...(onChangeEnd === undefined ? {} : { onChangeEnd })}
      {...(formatOptions === undefined ? {} : { formatOptions })}
    >
      {!isLabelHidden && (
        <>
          <Label className={styles.label ?? ""}>{label}</Label>
          <SliderOutput className={styles.value ?? ""} />
        </>
      )}
      <SliderTrack className={styles.track ?? ""}>
        {({ state }) => (
          <>
            <span className={styles.fill} style={{ width: `calc(${state.getThumbPercent(0) * 100}% + 7px)` }} />
            <SliderThumb className={styles.thumb ?? ""} />
          </>
        )}
      </SliderTrack>
    </AriaSlider>
  );
}
