/** The gallery's pictures, or why there are none; below them what is chosen for comparing. */

import { Columns2, ImageOff, Images } from "lucide-react";
import { useEffect, useState } from "react";

import { useGallery, loadMore, refresh } from "@/state/gallery";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { EmptyState } from "@/ui/EmptyState";
import { ContextMenu } from "@/ui/Menu";

import styles from "./Gallery.module.css";
import { chooseNone, compareChosen, useGalleryView } from "./gallery_view";
import { GalleryGrid, type PictureMenu } from "./GalleryGrid";
import { menuOf } from "./picture_menu";

/** `smallest`: how narrow a picture may become, in pixels. */
export function GalleryBody({ smallest }: { readonly smallest: number }) {
  const { items: pictures, isLoading, hasMore, error } = useGallery();
  const chosen = useGalleryView((state) => state.chosen);
  const [menu, setMenu] = useState<PictureMenu | null>(null);
  useEffect(() => {
    void refresh();
  }, []);

  if (pictures.length === 0) {
    if (error !== null) return <Failed detail={error} />;
    if (isLoading || hasMore) return <Skeletons smallest={smallest} />;
    return <EmptyState icon={Images} title={t("gallery.empty")} text={t("gallery.empty_text")} />;
  }
  return (
    <div className={styles.body}>
      <GalleryGrid
        pictures={pictures}
        smallest={smallest}
        chosen={chosen}
        hasMore={hasMore && error === null}
        isLoading={isLoading}
        onNearEnd={() => void loadMore()}
        onMenu={setMenu}
      />
      {error !== null && (
        <div className={styles.problem} role="alert">
          <span>{t("gallery.failed")}</span>
          <Button size="sm" onPress={() => void loadMore()}>
            {t("gallery.retry")}
          </Button>
        </div>
      )}
      {chosen.length > 0 && <Chosen count={chosen.length} onCompare={() => compareChosen(pictures)} />}
      <ContextMenu
        at={menu}
        items={menu === null ? [] : menuOf(menu.picture, pictures, chosen)}
        label={menu === null ? "" : t("gallery.more", { name: menu.picture.filename })}
        onClose={() => setMenu(null)}
      />
      <span className={styles.hidden} aria-live="polite">
        {isLoading ? t("gallery.loading") : ""}
      </span>
    </div>
  );
}

function Chosen({ count, onCompare }: { readonly count: number; readonly onCompare: () => void }) {
  return (
    <div className={styles.chosen} role="status">
      <span className={styles.chosenText}>{t(count < 2 ? "gallery.chosen_one" : "gallery.chosen_two")}</span>
      <Button variant="quiet" size="sm" onPress={chooseNone}>
        {t("gallery.clear")}
      </Button>
      <Button variant="primary" size="sm" icon={Columns2} isDisabled={count < 2} onPress={onCompare}>
        {t("gallery.compare")}
      </Button>
    </div>
  );
}

function Failed({ detail }: { readonly detail: string }) {
  const retry = (
    <Button variant="primary" onPress={() => void refresh()}>
      {t("gallery.retry")}
    </Button>
  );
  return <EmptyState icon={ImageOff} title={t("gallery.failed")} text={detail} action={retry} />;
}

/** Shapes of what is on its way. */
function Skeletons({ smallest }: { readonly smallest: number }) {
  return (
    <div
      className={styles.skeletons}
      role="progressbar"
      aria-label={t("gallery.loading")}
      style={{ gridTemplateColumns: `repeat(auto-fill, minmax(${smallest}px, 1fr))` }}
    >
      {Array.from({ length: 12 }, (_, i) => (
        <span key={i} className={styles.skeleton} />
      ))}
    </div>
  );
}
