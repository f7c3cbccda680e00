import type { Texts } from "./index";

/** 中文。The same keys as en.ts, in the same order. */
export const zh: Texts = {
  // ---- shell, commands, palette, tabs, menus (panels)
  "app.name": "Latentwire",

  // ---- canvas, nodes, wires, groups (view)

  // ---- widgets

  // ---- ui
  "ui.loading": "正在加载",
  "ui.close": "关闭",
  "ui.cancel": "取消",
  "ui.clear": "清除",
  "ui.dismiss": "知道了",
  "ui.messages": "消息",
  "ui.menu": "菜单",
  "ui.choices": "选项",

  // ---- running, queue, connection, problems (state, api)

  // ---- gallery, history, compare, mask editor (look)

  // ---- reasons (graph, format)
};
