/** Gives the person a file, as a download. */

const LATER = 60_000;

export function download(text: string, name: string, type: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser may still be reading it.
  setTimeout(() => URL.revokeObjectURL(address), LATER);
}

/** A name that every file system takes. */
export function fileName(name: string, ending: string): string {
  const safe = name
    .replace(/[\\/:*?"<>|]/g, "_")
    .replace(/^\.+/, "")
    .trim();
  return `${safe === "" ? "workflow" : safe}.${ending}`;
}
