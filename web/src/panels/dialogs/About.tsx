/** What this is, and what it runs on. */

import { useEffect, useState } from "react";

import { systemStats } from "@/api/client";
import type { SystemStats } from "@/api/wire";
import { t } from "@/texts/index";
import { Dialog } from "@/ui/Dialog";

import { Logo } from "../Logo";
import styles from "./dialogs.module.css";

export function About({ onClose }: { readonly onClose: () => void }) {
  const [stats, setStats] = useState<SystemStats | null>(null);
  useEffect(() => {
    let isOpen = true;
    systemStats().then(
      (answer) => isOpen && setStats(answer),
      () => undefined,
    );
    return () => {
      isOpen = false;
    };
  }, []);
  return (
    <Dialog title={t("about.title")} isOpen onClose={onClose} size="sm">
      <p className={styles.brand}>
        <Logo /> {t("app.name")}
      </p>
      <p className={styles.text}>{t("about.text")}</p>
      {stats !== null && <Facts stats={stats} />}
    </Dialog>
  );
}

function Facts({ stats }: { readonly stats: SystemStats }) {
  const device = stats.devices[0];
  const facts = [
    [t("about.python"), stats.system.python_version.split(" ")[0] ?? ""],
    [t("about.pytorch"), stats.system.pytorch_version],
    [t("about.device"), device?.name ?? ""],
  ];
  return (
    <dl className={styles.facts}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
