/** Smaller, how large, larger, all: below every picture that can be zoomed. */

import { Maximize, Minus, Plus } from "lucide-react";

import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { IconButton } from "@/ui/IconButton";

import type { Zoom } from "./use_zoom";
import { ZOOM_STEP } from "./zoom";
import styles from "./ZoomBar.module.css";

export function ZoomBar({ zoom }: { readonly zoom: Zoom }) {
  const percent = Math.round((zoom.view?.scale ?? 1) * 100);
  return (
    <div className={styles.bar} role="group" aria-label={t("zoom.label")}>
      <IconButton icon={Minus} label={t("zoom.out")} shortcut="-" onPress={() => zoom.zoomBy(1 / ZOOM_STEP)} />
      <Button variant="quiet" aria-label={t("zoom.actual", { percent })} onPress={() => zoom.zoomTo(1)}>
        <span className={styles.percent}>{percent} %</span>
      </Button>
      <IconButton icon={Plus} label={t("zoom.in")} shortcut="+" onPress={() => zoom.zoomBy(ZOOM_STEP)} />
      <IconButton icon={Maximize} label={t("zoom.fit")} shortcut="0" isActive={zoom.isFitted} onPress={zoom.fit} />
    </div>
  );
}
