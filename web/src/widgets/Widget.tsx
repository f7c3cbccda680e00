/**
 * One value of a node, as its kind is best edited. There may be thousands on the canvas: each is plain elements, and
 * what floats is only there while it is open.
 */

import { type KeyboardEvent, memo, type MouseEvent, useState } from "react";

import type { GraphId, Node } from "@/graph/document";
import { valueAt } from "@/graph/node_inputs";
import type { InputType } from "@/graph/node_type";
import type { Value } from "@/graph/value";
import { defaultOf, hasControl } from "@/graph/widgets";
import { tabOfDocument, useWorkbench } from "@/state/workbench";
import { ContextMenu } from "@/ui/Menu";

import { ChoiceWidget } from "./ChoiceWidget";
import { ColorWidget } from "./ColorWidget";
import { Controls } from "./Controls";
import { type FieldProps, labelOf } from "./field";
import { FileWidget } from "./FileWidget";
import { kindOfWidget } from "./kinds";
import { MarkdownWidget } from "./MarkdownWidget";
import { NumberWidget } from "./NumberWidget";
import { RawWidget } from "./RawWidget";
import { AreaWidget, LineWidget } from "./TextWidget";
import { ToggleWidget } from "./ToggleWidget";
import { give } from "./target";
import styles from "./Widget.module.css";
import { widgetMenu } from "./widget_menu";
import { WiredWidget } from "./WiredWidget";

interface WidgetProps {
  readonly documentId: string;
  readonly graphId: GraphId;
  readonly node: Node;
  readonly input: InputType;
  /** A wire feeds it. */
  readonly isDisabled: boolean;
  readonly problem: string | null;
}

export const Widget = memo(function Widget(props: WidgetProps) {
  const own = props.node.values[props.input.name];
  // An instance of a sub-graph that holds no value of its own shows the one inside.
  return own === undefined ? <InheritingWidget {...props} /> : <HeldWidget {...props} value={own} />;
});

function InheritingWidget(props: WidgetProps) {
  const inner = useWorkbench(() => {
    const document = tabOfDocument(props.documentId)?.history.present;
    return document === undefined ? undefined : valueAt(document, props.node, props.input.name);
  });
  return <HeldWidget {...props} value={inner ?? defaultOf(props.input)} />;
}

function HeldWidget({ documentId, graphId, node, input, isDisabled, problem, value }: WidgetProps & { value: Value }) {
  const [menuAt, setMenuAt] = useState<{ readonly x: number; readonly y: number } | null>(null);
  const field: FieldProps = {
    target: { documentId, graphId, nodeId: node.id, name: input.name },
    node,
    input,
    value,
    label: labelOf(node, input),
    problem,
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions -- the menu key arrives here too
    <div
      className={`${styles.widget} nodrag nopan nokey`}
      data-widget={input.name}
      onContextMenu={(event) => {
        if (isForBrowser(event)) return;
        event.preventDefault();
        event.stopPropagation();
        setMenuAt(placeOf(event));
      }}
      onKeyDown={(event) => {
        if (isMenuKey(event) && isText(event.target)) {
          event.preventDefault();
          event.stopPropagation();
          return setMenuAt(below(event.currentTarget));
        }
        // As in Blender: Backspace on a value gives it its default. Delete is the node's.
        if (event.key !== "Backspace" || isText(event.target) || isDisabled) return;
        event.preventDefault();
        event.stopPropagation();
        give(field.target, defaultOf(input));
      }}
    >
      {isDisabled ? <WiredWidget {...field} /> : <Field {...field} />}
      {menuAt !== null && (
        <ContextMenu
          at={menuAt}
          label={field.label}
          items={widgetMenu({ documentId, graphId }, node, input)}
          onClose={() => setMenuAt(null)}
        />
      )}
    </div>
  );
}

function Field(field: FieldProps) {
  const { target, node, input } = field;
  const tools = hasControl(input) ? <Controls target={target} node={node} input={input} /> : null;
  switch (kindOfWidget(node, input)) {
    case "number":
      return <NumberWidget {...field} tools={tools} />;
    case "slider":
      return <NumberWidget {...field} isSlider tools={tools} />;
    case "line":
      return <LineWidget {...field} />;
    case "area":
      return <AreaWidget {...field} />;
    case "markdown":
      return <MarkdownWidget {...field} />;
    case "choice":
      return <ChoiceWidget {...field} tools={tools} />;
    case "choices":
      return <ChoiceWidget {...field} isMultiple />;
    case "file":
      return <FileWidget {...field} />;
    case "toggle":
      return <ToggleWidget {...field} />;
    case "color":
      return <ColorWidget {...field} />;
    case "raw":
      return <RawWidget {...field} />;
  }
}

/** A text that is being edited keeps the browser's own menu under the pointer: spelling, paste. */
function isForBrowser(event: MouseEvent): boolean {
  return isText(event.target) && event.target === document.activeElement && event.button === 2;
}

function isText(target: EventTarget): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/** Where the menu opens: at the pointer, or below the control when a key asked for it. */
function placeOf(event: MouseEvent): { x: number; y: number } {
  if (event.button === 2 && event.clientX !== 0) return { x: event.clientX, y: event.clientY };
  return below(event.currentTarget);
}

function below(element: Element): { x: number; y: number } {
  const { left, bottom } = element.getBoundingClientRect();
  return { x: left + 8, y: bottom };
}

function isMenuKey(event: KeyboardEvent): boolean {
  return event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey);
}
