/** Painting a mask on a loaded picture, over the whole window; saved so that LoadImage's MASK output uses it. */

import { ImageOff, ImageUpscale } from "lucide-react";
import { useMemo, useState } from "react";

import { uploadMask } from "@/api/client";
import { asFailure } from "@/api/failure";
import { FullWindow } from "@/panels/lightbox/FullWindow";
import { inMegapixels, resolution } from "@/panels/lightbox/words";
import { closeMaskEditor, loadMasked, type MaskTarget, pictureOf, useMaskEditing } from "@/state/mask_editing";
import { noteFile } from "@/state/new_files";
import { nameOf } from "@/state/picture_name";
import type { Picture } from "@/state/run";
import { sentenceOf } from "@/state/run_problems";
import { toast } from "@/state/toasts";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { confirm } from "@/ui/Confirm";
import { EmptyState } from "@/ui/EmptyState";
import { Spinner } from "@/ui/Spinner";

import styles from "./Mask.module.css";
import { MaskStudio } from "./MaskStudio";
import type { MaskPainter } from "./painter";
import { maskPng } from "./png";
import { useLoaded } from "./use_loaded";

export function MaskEditor() {
  const target = useMaskEditing((state) => state.target);
  if (target === null) return null;
  return <Editor key={JSON.stringify([target.documentId, target.path, target.node])} target={target} />;
}

function Editor({ target }: { readonly target: MaskTarget }) {
  const [picture] = useState(() => pictureOf(target));
  const loaded = useLoaded(picture);
  const [isSaving, setSaving] = useState(false);
  const painter = loaded.state === "ready" ? loaded.painter : null;

  const close = async () => {
    if (isSaving) return;
    const isLoss = painter?.state().canUndo ?? false;
    if (isLoss && !(await confirm(lossQuestion()))) return;
    closeMaskEditor();
  };
  const save = async () => {
    if (painter === null || picture === null) return;
    setSaving(true);
    if (await keep(painter, picture, target)) closeMaskEditor();
    else setSaving(false);
  };
  const actions = (
    <Button variant="primary" isDisabled={painter === null || isSaving} onPress={() => void save()}>
      {isSaving ? t("mask.saving") : t("mask.save")}
    </Button>
  );
  const detail = useMemo(() => (picture === null ? "" : detailOf(picture, painter)), [picture, painter]);
  return (
    <FullWindow title={t("mask.title")} detail={detail} actions={actions} onClose={() => void close()}>
      {loaded.state === "ready" && <MaskStudio painter={loaded.painter} address={loaded.address} />}
      {loaded.state === "loading" && (
        <div className={styles.waiting}>
          <Spinner size={24} />
        </div>
      )}
      {loaded.state === "missing" && (
        <div className={styles.waiting}>
          <EmptyState icon={ImageOff} title={t("mask.missing")} text={t("mask.missing_text")} />
        </div>
      )}
      {loaded.state === "refused" && (
        <div className={styles.waiting}>
          <EmptyState
            icon={ImageUpscale}
            title={t("mask.too_large")}
            text={t("mask.too_large_text", {
              size: resolution(loaded.size.width, loaded.size.height),
              megapixels: inMegapixels(loaded.size.width * loaded.size.height),
            })}
          />
        </div>
      )}
    </FullWindow>
  );
}

/** Puts the masked picture beside the original, and loads it. Returns: whether that worked; if not, it was said. */
async function keep(painter: MaskPainter, picture: Picture, target: MaskTarget): Promise<boolean> {
  painter.end();
  try {
    const file = await maskPng(painter.mask);
    const made = await uploadMask(file, maskedName(picture), picture, { subfolder: "clipspace" });
    const { name: filename, subfolder } = made;
    noteFile(nameOf({ filename, subfolder, type: "input" }));
    if (loadMasked(target, { filename, subfolder, type: "input" })) toast("success", t("mask.saved"));
    else toast("warning", t("mask.no_node"), { detail: `${subfolder}/${filename}` });
    return true;
  } catch (error) {
    const failure = asFailure(error);
    toast("error", sentenceOf(failure), { detail: failure.message });
    return false;
  }
}

/** "cat.png" becomes "cat-mask-1790000000000.png", and so does "cat-mask-1780000000000.png". */
function maskedName({ filename }: Picture): string {
  const name = filename.replace(/\.[^.]*$/, "").replace(/-mask-\d+$/, "");
  return `${name}-mask-${Date.now()}.png`;
}

function lossQuestion() {
  return {
    title: t("mask.loss_title"),
    text: t("mask.loss_text"),
    action: t("mask.discard"),
    tone: "danger" as const,
  };
}

function detailOf(picture: Picture, painter: MaskPainter | null): string {
  if (painter === null) return picture.filename;
  return `${picture.filename} · ${resolution(painter.mask.width, painter.mask.height)}`;
}
