/** Whether a pasted text may be a workflow: other text that happens to be on the clipboard is none of our business. */
export function looksLikeWorkflow(text: string): boolean {
  const begin = text.trimStart().slice(0, 1);
  return begin === "{" && /"(nodes|class_type|prompt|workflow)"/.test(text.slice(0, 200_000));
}
