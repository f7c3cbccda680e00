/** A few pages in one place, one of them shown. */

import type { ReactNode } from "react";
import { Tab, TabList, TabPanel, Tabs as AriaTabs } from "react-aria-components";

import { Icon, type LucideIcon } from "./Icon";
import styles from "./Tabs.module.css";

interface TabPage<Id extends string> {
  readonly id: Id;
  readonly label: string;
  readonly icon?: LucideIcon | undefined;
  /** Small, behind the label: a Badge with a count. */
  readonly badge?: ReactNode;
  readonly content: ReactNode;
}

interface TabsProps<Id extends string> {
  readonly label: string;
  readonly pages: readonly TabPage<Id>[];
  readonly selected: Id;
  readonly onSelect: (id: Id) => void;
}

export function Tabs<Id extends string>({ label, pages, selected, onSelect }: TabsProps<Id>) {
  const select = (key: string | number) => {
    const page = pages.find((each) => each.id === key);
    if (page !== undefined) onSelect(page.id);
  };
  return (
    <AriaTabs selectedKey={selected} onSelectionChange={select} className={styles.tabs ?? ""}>
      <TabList aria-label={label} className={styles.list ?? ""}>
        {pages.map((page) => (
          <Tab key={page.id} id={page.id} className={styles.tab ?? ""}>
            {page.icon !== undefined && <Icon icon={page.icon} />}
            {page.label}
            {page.badge}
          </Tab>
        ))}
      </TabList>
      {pages.map((page) => (
        <TabPanel key={page.id} id={page.id} className={styles.panel ?? ""}>
          {page.content}
        </TabPanel>
      ))}
    </AriaTabs>
  );
}
