/** What a kind of node is for, what it takes and what it gives. */

import { useNodeType } from "@/state/node_types";
import { lookUp, t } from "@/texts/index";
import { isWidget } from "@/graph/widgets";
import { Badge } from "@/ui/Badge";

import styles from "./Description.module.css";
import { Sockets } from "./NodeName";

export function Description({
  typeId,
  className,
}: {
  readonly typeId: string;
  readonly className?: string | undefined;
}) {
  const type = useNodeType(typeId);
  if (type === null) {
    return (
      <div className={className}>
        <p className={styles.text}>{lookUp(`palette.drawn.${typeId}`)}</p>
      </div>
    );
  }
  const inputs = unique(type.inputs.filter((each) => !isWidget(each)).map((each) => each.type));
  const settings = type.inputs.filter(isWidget).map((each) => each.name);
  return (
    <div className={className}>
      <p className={styles.name}>{type.displayName}</p>
      {type.isDeprecated && <Badge tone="warning">{t("palette.deprecated")}</Badge>}
      {type.isExperimental && <Badge tone="info">{t("palette.experimental")}</Badge>}
      {type.description !== "" && <p className={styles.text}>{type.description}</p>}
      <div className={styles.sockets}>
        <Sockets types={inputs} side="in" />
        <Sockets types={unique(type.outputs.map((each) => each.type))} side="out" />
      </div>
      {settings.length > 0 && <p className={styles.settings}>{t("palette.sets", { names: settings.join(", ") })}</p>}
      <p className={styles.id}>{type.id}</p>
    </div>
  );
}

function unique(types: readonly string[]): readonly string[] {
  return [...new Set(types)];
}
