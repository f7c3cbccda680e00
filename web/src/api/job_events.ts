/**
 * What happens to one job, from its beginning: server-sent events, for jobs whose messages go to somebody else's socket
 * or began before we listened.
 */

import { asFailure } from "./failure";
import { messageOf } from "./frames";
import { isObject, parse } from "@/json/exact";
import { send } from "./request";
import type { Message } from "./wire";

/** One event of a stream, as the lines say it. */
interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** The whole events in a text, and what is left of it. Lines end in "\n", as our server writes them, or "\r\n". */
export function readEvents(text: string): { readonly events: readonly StreamEvent[]; readonly rest: string } {
  const blocks = text.replaceAll("\r\n", "\n").split("\n\n");
  const rest = blocks.pop() ?? "";
  return { events: blocks.flatMap(readEvent), rest };
}

/**
 * Tells every message of a job in order until its end; comes back after interruptions. Returns: whether the end was
 * reached (false: the job is unknown, or `signal` says stop).
 */
export async function followJob(id: string, tell: (message: Message) => void, signal: AbortSignal): Promise<boolean> {
  let since: number | null = null;
  for (let failures = 0; !signal.aborted && failures < 20;) {
    try {
      for await (const message of stream(id, since, signal)) {
        failures = 0;
        since = message.id ?? since;
        tell(message);
        if (isEnd(message)) return true;
      }
    } catch (error) {
      if (signal.aborted || asFailure(error).kind === "notFound") return false;
    }
    failures += 1;
    await pause(Math.min(10_000, 300 * 2 ** failures), signal);
  }
  return false;
}

export function isEnd(message: Message): boolean {
  return message.type === "executing" && message.data.node === null;
}

async function* stream(id: string, since: number | null, signal: AbortSignal): AsyncGenerator<Message> {
  const path = `jobs/${encodeURIComponent(id)}/events`;
  const answer = await send(path, { query: { since }, timeout: 0, signal });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const { events, rest } = readEvents(text + value);
    text = rest;
    for (const each of events) {
      const message = messageIn(each);
      if (message !== null) yield message;
    }
  }
}

function messageIn({ id, event, data }: StreamEvent): Message | null {
  const content = parse(data);
  return isObject(content) ? messageOf(event, content, /^\d+$/.test(id) ? Number(id) : null) : null;
}

function readEvent(block: string): StreamEvent[] {
  const fields = { id: "", event: "message", data: [] as string[] };
  for (const line of block.split("\n")) {
    const [, name, value = ""] = /^(\w*):? ?(.*)$/.exec(line) ?? [];
    if (name === "data") fields.data.push(value);
    else if (name === "id" || name === "event") fields[name] = value;
  }
  return fields.data.length === 0 ? [] : [{ ...fields, data: fields.data.join("\n") }];
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
