/**
 * Markdown as React elements. HTML in it stays text, links open elsewhere, and pictures are named instead of loaded:
 * they would come from other hosts, who would learn who reads the note.
 */

import Markdown, { type Components } from "react-markdown";
import gfm from "remark-gfm";

/** Tables, tasks, crossed-out words and bare addresses, as GitHub draws them. */
const PLUGINS = [gfm];

const COMPONENTS: Components = {
  // An address that may do harm (javascript:) arrives here empty.
  a: ({ href, children }) =>
    href === undefined || href === "" ? (
      <span>{children}</span>
    ) : (
      <a href={href} target="_blank" rel="noopener noreferrer">
        {children}
      </a>
    ),
  img: ({ alt, src }) => <em>{alt === undefined || alt === "" ? (src ?? "") : alt}</em>,
};

export default function MarkdownView({ text }: { readonly text: string }) {
  return (
    <Markdown components={COMPONENTS} remarkPlugins={PLUGINS}>
      {text}
    </Markdown>
  );
}
