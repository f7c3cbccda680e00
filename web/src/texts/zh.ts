import type { Texts } from "./index";

/** 中文。The same keys as en.ts, in the same order. */
export const zh: Texts = {
  // ---- shell, commands, palette, tabs, menus (panels)
  "app.name": "Latentwire",

  // ---- canvas, nodes, wires, groups (view)

  // ---- widgets

  // ---- ui

  // ---- running, queue, connection, problems (state, api)

  // ---- gallery, history, compare, mask editor (look)

  // ---- reasons (graph, format)
};
