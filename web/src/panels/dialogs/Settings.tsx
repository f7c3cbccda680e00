/** What a person prefers. Everything takes effect at once. */

import { prefer, type Preferences, usePreferences } from "@/state/preferences";
import { LANGUAGES, t } from "@/texts/index";
import { Dialog } from "@/ui/Dialog";
import { Select } from "@/ui/Select";
import { Slider } from "@/ui/Slider";
import { Switch } from "@/ui/Switch";

import styles from "./dialogs.module.css";

export function Settings({ onClose }: { readonly onClose: () => void }) {
  const preferences = usePreferences();
  return (
    <Dialog title={t("settings.title")} isOpen onClose={onClose} size="sm">
      <div className={styles.settings}>
        <Look {...preferences} />
        <CanvasPart {...preferences} />
      </div>
    </Dialog>
  );
}

function Look({ theme, language }: Preferences) {
  const languages = [
    { id: "", label: t("settings.language_system") },
    ...Object.entries(LANGUAGES).map(([id, { name }]) => ({ id, label: name })),
  ];
  const themes = (["system", "dark", "light"] as const).map((id) => ({ id, label: t(`settings.theme_${id}`) }));
  return (
    <fieldset className={styles.part}>
      <legend>{t("settings.look")}</legend>
      <Select label={t("settings.theme")} value={theme} options={themes} onChange={(id) => prefer({ theme: id })} />
      <Select
        label={t("settings.language")}
        value={language}
        options={languages}
        onChange={(id) => prefer({ language: id })}
      />
    </fieldset>
  );
}

function CanvasPart({ wires, snapToGrid, gridSize, showMinimap }: Preferences) {
  const kinds = (["curved", "straight", "stepped"] as const).map((id) => ({ id, label: t(`settings.wires_${id}`) }));
  return (
    <fieldset className={styles.part}>
      <legend>{t("settings.canvas")}</legend>
      <Select label={t("settings.wires")} value={wires} options={kinds} onChange={(id) => prefer({ wires: id })} />
      <Switch isSelected={snapToGrid} onChange={(isOn) => prefer({ snapToGrid: isOn })}>
        {t("settings.snap")}
      </Switch>
      <Slider
        label={t("settings.grid")}
        value={gridSize}
        min={5}
        max={50}
        step={5}
        onChange={(value) => prefer({ gridSize: value })}
      />
      <Switch isSelected={showMinimap} onChange={(isOn) => prefer({ showMinimap: isOn })}>
        {t("settings.minimap")}
      </Switch>
    </fieldset>
  );
}
