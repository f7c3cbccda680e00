/** Every English text. `{word}` is filled in; a key that ends in `.one` / `.other` is chosen by a number, `{count}`. */
export const en = {
  // ---- shell, commands, palette, tabs, menus (panels)
  "app.name": "Latentwire",

  // edits
  "edit.add": "Add node",
  "edit.add_group": "Add group",
  "edit.align": "Align",
  "edit.arrange": "Arrange",
  "edit.collapse": "Collapse",
  "edit.color": "Change colour",
  "edit.connect": "Connect",
  "edit.control": "Change what happens after a run",
  "edit.convert": "Convert input",
  "edit.delete": "Delete",
  "edit.disconnect": "Disconnect",
  "edit.distribute": "Distribute",
  "edit.duplicate": "Duplicate",
  "edit.group": "Change group",
  "edit.mode": "Mute or bypass",
  "edit.move": "Move",
  "edit.pack": "Pack into a sub-graph",
  "edit.paste": "Paste",
  "edit.port": "Change sub-graph input or output",
  "edit.promote": "Promote widget",
  "edit.raise": "Bring to front",
  "edit.remove_group": "Remove group",
  "edit.rename": "Rename",
  "edit.reroute": "Insert reroute",
  "edit.resize": "Resize",
  "edit.unique": "Make sub-graph unique",
  "edit.unpack": "Unpack sub-graph",
  "edit.value": "Change value",
  "edit.values_after_run": "Values after a run",

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
  "reason.broken_text": "{input}: the text has a character that is none (NUL, or half of a pair). Remove it.",
  "reason.contains_itself": "A sub-graph cannot contain itself.",
  "reason.cycle": "This wire would close a ring: the node would wait for its own result.",
  "reason.in_ring": "This node waits for its own result. Cut one of the wires of the ring.",
  "reason.missing_input": "{input} needs a wire.",
  "reason.no_output_node": "Nothing here shows or saves a picture. Add a node such as SaveImage.",
  "reason.no_such_slot": "That socket is not there any more.",
  "reason.no_value": "{input} needs a value.",
  "reason.not_a_choice": "{input}: “{value}” is not among the choices.",
  "reason.not_a_subgraph": "This is not a sub-graph.",
  "reason.not_a_widget": "{input} has no value of its own that a wire could bring.",
  "reason.not_number": "{input}: “{value}” is not a number.",
  "reason.not_text": "{input} takes a text.",
  "reason.not_whole": "{input}: “{value}” is not a whole number.",
  "reason.nothing_selected": "Select at least one node first.",
  "reason.other_choices": "The value offers other choices than this input.",
  "reason.primitive_needs_widget": "A primitive can only feed a value: a number, a text, a switch or a choice.",
  "reason.same_node": "A node cannot feed itself.",
  "reason.socketless": "{input} cannot be wired.",
  "reason.too_big": "{input} is {value}; at most {max} is allowed.",
  "reason.too_long": "{input}: {value} does not fit into 64 bits.",
  "reason.too_small": "{input} is {value}; at least {min} is needed.",
  "reason.type_mismatch": "{given} does not fit into {wanted}.",
  "reason.unknown_type": "The server does not know “{type}”. The plugin that brings it may be missing.",
} as const;
