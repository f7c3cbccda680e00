/** Every English text. `{word}` is filled in; a key that ends in `.one` / `.other` is chosen by a number, `{count}`. */
export const en = {
  // ---- shell, commands, palette, tabs, menus (panels)
  "app.name": "Latentwire",

  // ---- canvas, nodes, wires, groups (view)

  // ---- widgets

  // ---- ui

  // ---- running, queue, connection, problems (state, api)

  // ---- gallery, history, compare, mask editor (look)

  // ---- reasons (graph, format)
} as const;
