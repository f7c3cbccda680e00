/** Notes in Markdown as they are drawn. */

import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";

import MarkdownView from "@/widgets/MarkdownView";

function drawn(text: string): string {
  return renderToStaticMarkup(createElement(MarkdownView, { text }));
}

test("a table is drawn as a table, and crossed-out words as such", () => {
  const html = drawn("| Model | Steps |\n| --- | ---: |\n| SDXL | 20 |\n\n~~old~~");
  expect(html).toContain("<th>Model</th>");
  expect(html).toContain(">20</td>");
  expect(html).not.toContain("|");
  expect(html).toContain("<del>old</del>");
});

test("a bare address becomes a link that opens elsewhere", () => {
  expect(drawn("see https://example.org/x")).toContain(
    '<a href="https://example.org/x" target="_blank" rel="noopener noreferrer">',
  );
});

test("HTML stays text, and what may do harm leads nowhere", () => {
  const html = drawn("<b onclick=x>hm</b> [a](javascript:alert(1)) ![p](https://example.org/p.png)");
  expect(html).not.toMatch(/<b|javascript:|<img/);
});
