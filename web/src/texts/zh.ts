import type { Texts } from "./index";

/** 中文。The same keys as en.ts, in the same order. */
export const zh: Texts = {
  // ---- shell, commands, palette, tabs, menus (panels)
  "app.name": "Latentwire",

  // edits
  "edit.add": "添加节点",
  "edit.add_group": "添加分组",
  "edit.align": "对齐",
  "edit.arrange": "自动排列",
  "edit.collapse": "折叠",
  "edit.color": "更改颜色",
  "edit.connect": "连线",
  "edit.control": "更改运行后的行为",
  "edit.convert": "转换输入",
  "edit.delete": "删除",
  "edit.disconnect": "断开连线",
  "edit.distribute": "均匀分布",
  "edit.duplicate": "创建副本",
  "edit.group": "更改分组",
  "edit.mode": "静音或绕过",
  "edit.move": "移动",
  "edit.pack": "打包为子图",
  "edit.paste": "粘贴",
  "edit.port": "更改子图接口",
  "edit.promote": "提升控件",
  "edit.raise": "置于顶层",
  "edit.remove_group": "删除分组",
  "edit.rename": "重命名",
  "edit.reroute": "插入转接点",
  "edit.resize": "调整大小",
  "edit.unique": "使子图独立",
  "edit.unpack": "解开子图",
  "edit.value": "更改值",
  "edit.values_after_run": "运行后的值",

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
  "reason.broken_text": "{input}：文本中含有无效字符（NUL 或半个代理对），请删除。",
  "reason.contains_itself": "子图不能包含自身。",
  "reason.cycle": "这条连线会形成环：节点将等待自己的结果。",
  "reason.in_ring": "此节点在等待自己的结果。请断开环中的一条连线。",
  "reason.missing_input": "{input} 需要连线。",
  "reason.no_output_node": "这里没有显示或保存图片的节点。请添加 SaveImage 之类的节点。",
  "reason.no_such_slot": "该接口已不存在。",
  "reason.no_value": "{input} 需要一个值。",
  "reason.not_a_choice": "{input}：“{value}”不在可选项中。",
  "reason.not_a_subgraph": "这不是子图。",
  "reason.not_a_widget": "{input} 没有可由连线提供的值。",
  "reason.not_number": "{input}：“{value}”不是数字。",
  "reason.not_text": "{input} 需要文本。",
  "reason.not_whole": "{input}：“{value}”不是整数。",
  "reason.nothing_selected": "请先至少选择一个节点。",
  "reason.other_choices": "该值的选项与此输入的选项不同。",
  "reason.primitive_needs_widget": "基元节点只能提供值：数字、文本、开关或选项。",
  "reason.same_node": "节点不能连接到自身。",
  "reason.socketless": "{input} 不能连线。",
  "reason.too_big": "{input} 为 {value}，最大允许 {max}。",
  "reason.too_long": "{input}：{value} 超出 64 位整数范围。",
  "reason.too_small": "{input} 为 {value}，最小需要 {min}。",
  "reason.type_mismatch": "{given} 与 {wanted} 不匹配。",
  "reason.unknown_type": "服务器不认识“{type}”，可能缺少提供它的插件。",
};
