/** As a `ref` of the chosen item of a list: scrolls the list so that it is seen. */
export function bringIntoSight(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "nearest" });
}
