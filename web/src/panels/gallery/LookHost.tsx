/** Everything that is looked at over the whole window; stands once in it. */

import { Compare } from "@/panels/lightbox/Compare";
import { Lightbox } from "@/panels/lightbox/Lightbox";
import { MaskEditor } from "@/panels/mask/MaskEditor";

import { GalleryWindow } from "./Gallery";

export function LookHost() {
  return (
    <>
      <GalleryWindow />
      <Lightbox />
      <Compare />
      <MaskEditor />
    </>
  );
}
