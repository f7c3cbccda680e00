/**
 * Markdown as React elements. HTML in it stays text, links open elsewhere, and pictures are named instead of loaded:
 * they would come from other hosts, who would learn who reads the note.
 */

import Markdown, { type Components } from "react-markdown";

const COMPONENTS: Components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ),
  img: ({ alt, src }) => <em>{alt === undefined || alt === "" ? (src ?? "") : alt}</em>,
};

export default function MarkdownView({ text }: { readonly text: string }) {
  return <Markdown components={COMPONENTS}>{text}</Markdown>;
}
