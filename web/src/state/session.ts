/**
 * The editor's connection to its server, from start to end: node types, the socket, and the picture of what is going
 * on, rebuilt after a reload, a lost connection or a restart of the server.
 */

import { remaining } from "@/api/client";
import { claimClientId } from "@/api/client_id";
import type { Frame } from "@/api/frames";
import { route, token } from "@/api/request";
import { Socket } from "@/api/socket";

import { refreshActive, whenGone } from "./active_jobs";
import { followUntold, hear, leaveDocument, noticeGone, noticeWaiting, restore } from "./job_tracking";
import { loadNodeTypes } from "./node_types";
import { type RunState, useRun } from "./run";
import { feed, feedPreview } from "./run_feed";
import { useWorkbench } from "./workbench";

/** Milliseconds that a question to see whether the socket is alive may take. */
const PROBE = 5000;
/** A page hidden for so long may have slept: its connection is made anew. */
const LONG_HIDDEN = 60_000;
/** Milliseconds after which another tab that took our name has taken its own. */
const RIVAL = 1000;

let id: string | null = null;
let socket: Socket | null = null;
/** How many jobs the server said it had. */
let lastCount = 0;

/** Who we are to the server. */
export function clientId(): string {
  id ??= claimClientId(
    (own) => {
      id = own;
      socket?.renew();
    },
    () => setTimeout(() => socket?.renew(), RIVAL),
  );
  return id;
}

/** Something was sent that the socket will tell about. */
export function expectNews(): void {
  socket?.expect();
}

/** Begins. Returns: what ends it. */
export function start(): () => void {
  whenGone(noticeGone);
  const made = new Socket({ address, onFrame: take, onConnection: connect, remaining: () => remaining(PROBE) });
  socket = made;
  made.start();
  void loadNodeTypes();
  const stops = [watchPage(made), watchDocuments(), watchActive()];
  return () => {
    for (const stop of stops) stop();
    made.stop();
    socket = null;
  };
}

function address(since: number | null): string {
  return route("ws", { clientId: clientId(), since, token: token() }).replace(/^http/, "ws");
}

function connect(connection: RunState["connection"]): void {
  const wasLost = useRun.getState().connection === "lost";
  useRun.setState({ connection });
  if (connection !== "open") return;
  // Asked after the socket is open, so that nothing can happen between the answer and its first message.
  void refreshActive();
  if (wasLost) void loadNodeTypes();
}

function take(frame: Frame): void {
  switch (frame.type) {
    case "status":
      noticeCount(frame.data.status.exec_info.queue_remaining);
      void refreshActive();
      return;
    case "feature_flags":
      return;
    case "preview": {
      const node = frame.display ?? frame.node;
      if (frame.job === null || node === null) return;
      feedPreview({ job: frame.job, node, picture: new Blob([frame.bytes], { type: frame.mime }) });
      return;
    }
    case "text":
      if (frame.job !== null) feed({ type: "text", job: frame.job, node: frame.node, text: frame.text });
      return;
    default:
      hear(frame);
  }
}

/** Others' jobs may come and go between two looks at the list: then only their number tells that one has ended. */
function noticeCount(count: number): void {
  if (count < lastCount) useRun.setState(({ ended }) => ({ ended: ended + 1 }));
  lastCount = count;
}

/** Comes back at once when the network does, or when somebody looks at the page again. */
function watchPage(socket: Socket): () => void {
  let hiddenAt = 0;
  const online = () => socket.renew();
  const look = () => {
    if (document.visibilityState === "hidden") hiddenAt = Date.now();
    else if (Date.now() - hiddenAt > LONG_HIDDEN) socket.renew();
    else socket.hurry();
  };
  window.addEventListener("online", online);
  document.addEventListener("visibilitychange", look);
  return () => {
    window.removeEventListener("online", online);
    document.removeEventListener("visibilitychange", look);
  };
}

/** Shows the last results of each document that is opened, and what runs for it. */
function watchDocuments(): () => void {
  let open = new Set<string>();
  const look = () => {
    const now = new Set(useWorkbench.getState().tabs.map((tab) => tab.history.present.id));
    for (const each of now) if (!open.has(each)) void restore(each).catch(() => undefined);
    for (const each of open) if (!now.has(each)) leaveDocument(each);
    const hasNew = [...now].some((each) => !open.has(each));
    open = now;
    if (hasNew) followUntold();
  };
  look();
  return useWorkbench.subscribe((state, before) => {
    if (state.tabs !== before.tabs) look();
  });
}

function watchActive(): () => void {
  return useRun.subscribe((state, before) => {
    if (state.active === before.active) return;
    noticeWaiting();
    followUntold();
  });
}
