"""A kind of node as a page a person reads at a terminal."""

from engine.graph.nodetype import Input, NodeType

MAX_CHOICES = 60
SHOWN = ("default", "min", "max", "step", "round")


def page(node_type: NodeType) -> str:
    """Name, category, what it does, and its inputs and outputs with types, defaults and ranges."""
    title = node_type.display_name or node_type.id
    lines = [node_type.id if title == node_type.id else f"{node_type.id} — {title}", f"category: {node_type.category}"]
    for is_so, word in ((node_type.is_output, "output node"), (node_type.is_deprecated, "deprecated")):
        lines += [word] if is_so else []
    lines += ["", node_type.description] if node_type.description else []
    if node_type.inputs:
        lines += ["", "inputs:", *(line for each in node_type.inputs for line in _input(each))]
    if node_type.outputs:
        lines += ["", "outputs:"]
        lines += [f"  {each.name}  {each.type}{' (a list)' if each.is_list else ''}" for each in node_type.outputs]
    return "\n".join(lines)


def _input(each: Input) -> list[str]:
    facts = [each.type] if each.required else [each.type, "optional"]
    facts += [f"{name} {each.options[name]!r}" for name in SHOWN if name in each.options]
    lines = [f"  {each.name}  {', '.join(facts)}"]
    choices = each.current_choices()
    if each.type == "COMBO":
        shown = ", ".join(map(str, choices[:MAX_CHOICES])) or "nothing there yet"
        more = f" … and {len(choices) - MAX_CHOICES} more" if len(choices) > MAX_CHOICES else ""
        lines.append(f"      one of: {shown}{more}")
    if each.options.get("tooltip"):
        lines.append(f"      {each.options['tooltip']}")
    return lines
