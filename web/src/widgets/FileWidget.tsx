/** A file of the input folder: chosen from the list, from the disk, pasted, or dropped on it. */

import { Upload } from "lucide-react";
import { type DragEvent, useState } from "react";

import { t } from "@/texts/index";
import { isPlaced, useNewFiles } from "@/state/new_files";
import { toast } from "@/state/toasts";
import { Icon } from "@/ui/Icon";
import { Spinner } from "@/ui/Spinner";

import styles from "./Choice.module.css";
import { ChoiceWidget } from "./ChoiceWidget";
import { type FieldProps, textOption } from "./field";
import { acceptOf } from "./kinds";
import rowStyles from "./Row.module.css";
import { isAccepted, upload, useWaiting } from "./uploads";

export function FileWidget(props: FieldProps) {
  const { target, input, value } = props;
  const [isOver, setOver] = useState(false);
  const times = useNewFiles((state) => state.times);
  const names = [...new Set([...(isPlaced(value) ? [value] : []), ...times.keys()])];
  const waiting = useWaiting(target);
  const accept = acceptOf(input) ?? "";
  const take = (files: FileList | null): boolean => {
    const file = files?.[0];
    if (file === undefined) return false;
    if (isAccepted(file, accept)) void upload(target, file, textOption(input, "upload_subfolder") ?? "");
    else toast("warning", t("widget.wrong_file", { name: file.name }));
    return true;
  };
  const over = (event: DragEvent, now: boolean): void => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    setOver(now);
  };
  const label = t(waiting === null ? "widget.upload" : "widget.uploading", { name: waiting ?? "" });
  return (
    <ChoiceWidget
      {...props}
      more={names}
      row={{
        className: isOver ? styles.over : undefined,
        onDragOver: (event) => over(event, true),
        onDragLeave: (event) => over(event, false),
        onDrop: (event) => {
          over(event, false);
          take(event.dataTransfer.files);
        },
        onPaste: (event) => {
          if (!take(event.clipboardData.files)) return;
          event.preventDefault();
          event.stopPropagation();
        },
      }}
      tools={
        <button
          type="button"
          className={rowStyles.tool}
          aria-label={label}
          title={label}
          disabled={waiting !== null}
          onClick={() => askForFile(accept, take)}
        >
          {waiting === null ? <Icon icon={Upload} size={14} /> : <Spinner size={12} label={label} />}
        </button>
      }
    />
  );
}

/** The browser's own dialog. Its field is made when it is asked for: there may be hundreds of these widgets. */
function askForFile(accept: string, onFiles: (files: FileList | null) => void): void {
  const field = document.createElement("input");
  field.type = "file";
  field.accept = accept;
  field.addEventListener("change", () => onFiles(field.files));
  field.click();
}
