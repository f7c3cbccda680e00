/** Every English text. `{word}` is filled in; a key that ends in `.one` / `.other` is chosen by a number, `{count}`. */
export const en = {
  // ---- shell, commands, palette, tabs, menus (panels)
  "app.name": "Latentwire",

  // ---- canvas, nodes, wires, groups (view)

  // ---- widgets

  // ---- ui
  "ui.loading": "Loading",
  "ui.close": "Close",
  "ui.cancel": "Cancel",
  "ui.clear": "Clear",
  "ui.dismiss": "Dismiss",
  "ui.messages": "Messages",
  "ui.menu": "Menu",
  "ui.choices": "Choices",

  // ---- running, queue, connection, problems (state, api)

  // ---- gallery, history, compare, mask editor (look)

  // ---- reasons (graph, format)
} as const;
