/** A job in a list: thumbnail, name, facts, and what one can do. */

import { Image as Picture } from "lucide-react";
import { Fragment, type ReactNode, useState } from "react";

import { viewUrl } from "@/api/client";
import type { Job } from "@/state/run";
import { Icon } from "@/ui/Icon";

import styles from "./Queue.module.css";

interface JobRowProps {
  readonly handle?: ReactNode;
  readonly thumbnail?: ReactNode;
  readonly name: string;
  readonly badge?: ReactNode;
  readonly facts: readonly ReactNode[];
  readonly detail?: ReactNode;
  readonly actions: ReactNode;
}

export function JobRow({ handle, thumbnail, name, badge, facts, detail, actions }: JobRowProps) {
  const told = facts.filter((each) => each !== null && each !== undefined && each !== "");
  return (
    <div className={styles.job}>
      {handle}
      {thumbnail}
      <div className={styles.words}>
        <div className={styles.title}>
          <span className={styles.name} title={name}>
            {name}
          </span>
          {badge}
        </div>
        <div className={styles.facts}>
          {told.map((each, i) => (
            // eslint-disable-next-line react/no-array-index-key -- facts have their place
            <Fragment key={i}>
              {i > 0 && " · "}
              {each}
            </Fragment>
          ))}
        </div>
        {detail}
      </div>
      <div className={styles.actions}>{actions}</div>
    </div>
  );
}

export function JobThumbnail({ job, onOpen, label }: ThumbnailProps) {
  const [isBroken, setBroken] = useState(false);
  if (job.preview === null || isBroken || !isPicture(job.preview.filename)) {
    return (
      <span className={styles.thumbnail}>
        <Icon icon={Picture} />
      </span>
    );
  }
  const image = (
    <img
      className={styles.thumbnail}
      src={viewUrl(job.preview, { size: 128 })}
      alt=""
      loading="lazy"
      decoding="async"
      onError={() => setBroken(true)}
    />
  );
  if (onOpen === undefined) return image;
  return (
    <button type="button" className={styles.opens} aria-label={label} onClick={onOpen}>
      {image}
    </button>
  );
}

interface ThumbnailProps {
  readonly job: Job;
  readonly onOpen?: () => void;
  readonly label?: string;
}

function isPicture(filename: string): boolean {
  return /\.(png|jpe?g|webp|gif|avif|bmp)$/i.test(filename);
}
