"""What a drawn node's widgets hold, by the names of its inputs.

A file stores the values of a node's widgets in a row, in the order of its type, with entries of the editor's own in
between (what happens to the seed after a run, upload buttons). The rules are those of workflow_formats.md, section 4;
numbers in comments are theirs.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from engine.graph.editor_graph import EditorNode
from engine.graph.nodetype import WIDGET_TYPES, Input, NodeType

CONTROL_WORDS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""What may happen to a value after a run; stored behind it, never sent."""

EDITOR_WIDGETS = WIDGET_TYPES | {
    "AUDIO_RECORD",
    "BOUNDING_BOX",
    "COLOR",
    "CURVE",
    "IMAGECOMPARE",
    "LOAD_3D",
    "LOAD_3D_ANIMATION",
    "MARKDOWN",
    "RANGE",
    "WEBCAM",
}
"""Types for which the editor draws a widget."""

_SEED_NAMES = frozenset({"seed", "noise_seed"})
_UPLOADS = ("image_upload", "video_upload", "audio_upload", "file_upload", "mesh_upload")
_NOT_SENT = frozenset({"control_after_generate", "upload"})
_EMPTY = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Widgets:
    """The values of a node's widgets by input name; `is_known` is False where names had to be left to guessing."""

    values: Mapping[str, Any] = field(default_factory=dict)
    is_known: bool = True


def widget_values(node: EditorNode, node_type: NodeType | None) -> Widgets:
    """The value of each widget of a drawn node, defaults where the file holds none.

    Without a node type the names come from the node's own slots, as far as they go.
    """
    if node_type is None:
        return _without_type(node)
    inputs = _in_order(node_type.inputs)
    if node.named is not None:  # 7
        values = _walk(inputs, node, _Named(node.named))
        surplus = {name: value for name, value in node.named.items() if name not in values and _is_sent(name, value)}
        return Widgets({**values, **surplus})
    row = node.values or ()
    fits = None
    for dummies, buttons in ((True, True), (True, False), (False, True), (False, False)):  # 3, 5
        positions = _Positions(row, dummies=dummies, buttons=buttons)
        values = _walk(inputs, node, positions)
        if positions.taken == len(row):
            return Widgets(values)
        if not dummies and buttons:
            fits = values
    return Widgets(fits or {})  # 6: shorter or longer than the type says


def group_values(
    nodes: Sequence[EditorNode],
    types: Sequence[NodeType | None],
    joined: Sequence[Set[str]],
    row: Sequence[Any],
) -> list[EditorNode]:
    """Inner nodes of a group node with its row of values dealt out to them; `joined` widgets are wired inside."""
    dealt: list[EditorNode] = []
    for buttons in (True, False):
        positions = _Positions(row, dummies=False, buttons=buttons)
        dealt = []
        for node, node_type, wired in zip(nodes, types, joined, strict=True):
            if node.type == "PrimitiveNode":
                kind = "COMBO" if "COMBO" in node.outputs else "INT"
                value = positions.take(Input("value", kind, options={"control_after_generate": True}))
                dealt.append(replace(node, values=node.values if value is _MISSING else (value,)))
            elif node_type is None:
                count = len(node.values or ())
                dealt.append(replace(node, values=tuple(row[positions.taken : positions.taken + count])))
                positions.skip(count)
            else:
                inputs = [each for each in _in_order(node_type.inputs) if each.name not in wired]
                dealt.append(replace(node, values=None, named=_walk(inputs, node, positions)))
        if positions.taken == len(row):
            break
    return dealt


def control_follows(each: Input) -> bool:
    """Whether the editor stores what happens to this value after a run, behind it."""
    chosen = each.options.get("control_after_generate")
    if each.type == "INT":  # 2
        return bool(chosen) or (chosen is None and each.name in _SEED_NAMES)
    return bool(chosen) and each.type == "COMBO"


def default(each: Input) -> Any:
    """What a widget holds before anyone touches it; None for types without an empty value."""
    if "default" in each.options:
        return each.options["default"]
    choices = _options(each)
    return _key(choices[0]) if choices else _EMPTY.get(_kind(each))


def as_literal(value: Any) -> Any:
    """The value as the API format writes it: a list would be taken for a link."""
    return {"__value__": value} if isinstance(value, list | tuple) else value  # 9


class _Named:
    """Values by name."""

    dummies = buttons = False

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def take(self, each: Input) -> Any:
        return self._values.get(each.name, _MISSING)

    def skip(self, count: int) -> None:
        """Names need no skipping."""


class _Positions:
    """Values in a row, taken from the left. `taken` counts what the type asked for, there or not."""

    def __init__(self, row: Sequence[Any], *, dummies: bool, buttons: bool) -> None:
        self._row = row
        self.taken = 0
        self.dummies = dummies
        self.buttons = buttons

    def take(self, each: Input) -> Any:
        value = self._next()
        if is_control(value) and _kind(each) in ("INT", "FLOAT", "BOOLEAN"):
            value = self._next()  # the file's version of the node had a control where ours has none
        if control_follows(each):
            self._take_control(each)
        return value

    def skip(self, count: int) -> None:
        self.taken += count

    def _next(self) -> Any:
        value = self._row[self.taken] if self.taken < len(self._row) else _MISSING
        self.taken += 1
        return value

    def _take_control(self, each: Input) -> None:
        follower = self._row[self.taken] if self.taken < len(self._row) else None
        # Files of 2023 have a boolean there: "random seed after every gen".
        if follower is None or isinstance(follower, bool) or is_control(follower):
            self.taken += 2 if each.type == "COMBO" else 1  # a combo has a filter text behind it


def is_control(value: object) -> bool:
    """Whether a stored value says what happens to the one before it after a run."""
    return isinstance(value, str) and value in CONTROL_WORDS


def _walk(inputs: Sequence[Input], node: EditorNode, source: _Named | _Positions) -> dict[str, Any]:
    """Takes a value for each widget in turn; chosen options and grown groups bring in more inputs on the way."""
    found: dict[str, Any] = {}
    waiting = deque[Input | int](inputs)
    uploads = sum(1 for each in inputs if each.required and any(each.options.get(key) for key in _UPLOADS))
    waiting.insert(sum(1 for each in inputs if each.required), uploads)
    while waiting:
        each = waiting.popleft()
        if isinstance(each, int):  # 3: the buttons at the end of the required ones
            source.skip(each if source.buttons else 0)
        elif each.type.startswith("COMFY_AUTOGROW"):
            waiting.extendleft(reversed(list(_grown(each, node))))
        elif _kind(each) in EDITOR_WIDGETS and not each.options.get("forceInput"):
            found[each.name] = _value(each, source.take(each))
            if each.type.startswith("COMFY_DYNAMICCOMBO"):
                waiting.extendleft(reversed(list(_chosen(each, found[each.name]))))
        elif _kind(each) in WIDGET_TYPES and source.dummies:  # 5
            source.skip(2 if control_follows(each) else 1)
    return {name: value for name, value in found.items() if value is not _MISSING}


def _value(each: Input, value: Any) -> Any:
    if value is _MISSING or (value is None and _kind(each) in _EMPTY):  # 6, 8
        value = default(each)
        if value is None:
            return _MISSING
    if each.type == "CURVE" and isinstance(value, list):
        return {"__type__": "CURVE", "__value__": value}
    return as_literal(value)


def _kind(each: Input) -> str:
    if each.type.startswith("COMFY_DYNAMICCOMBO"):
        return "COMBO"
    return str(each.options.get("widgetType") or each.type)


def _in_order(inputs: Sequence[Input]) -> list[Input]:
    return sorted(inputs, key=lambda each: not each.required)


def _is_sent(name: str, value: object) -> bool:
    """Whether a stored value the type does not list may be an input it makes while it is drawn."""
    return name not in _NOT_SENT and "$$" not in name and isinstance(value, str | int | float)


def _options(combo: Input) -> Sequence[Any]:
    listed = combo.options.get("options")
    return listed if isinstance(listed, list | tuple) else combo.current_choices()


def _key(option: object) -> Any:
    return option.get("key") if isinstance(option, Mapping) else option


def _chosen(combo: Input, key: object) -> Iterator[Input]:
    """The inputs a chosen option of a dynamic combo brings, named `combo.input`."""
    for option in _options(combo):
        if isinstance(option, Mapping) and option.get("key") == key:
            yield from _described(option.get("inputs"), combo.name)


def _grown(group: Input, node: EditorNode) -> Iterator[Input]:
    """The widgets of a growing group: as many as the drawn node has slots for."""
    template = group.options.get("template")
    described = _described(template.get("input"), group.name) if isinstance(template, Mapping) else iter(())
    first = next(described, None)
    if first is None:
        return
    for slot in node.inputs:
        if slot.is_widget and slot.name.startswith(f"{group.name}."):
            yield Input(slot.name, first.type, choices=first.choices, options=first.options)


def _described(sections: object, group: str) -> Iterator[Input]:
    """Inputs out of the JSON of /object_info, `{required: {name: [type, options]}, optional: …}`."""
    for section in ("required", "optional"):
        listed = sections.get(section) if isinstance(sections, Mapping) else None
        for name, entry in listed.items() if isinstance(listed, Mapping) else ():
            kind, *rest = entry if isinstance(entry, list | tuple) and entry else ["*"]
            options = rest[0] if rest and isinstance(rest[0], Mapping) else {}
            choices = tuple(kind) if isinstance(kind, list) else None
            type_name = "COMBO" if choices is not None else str(kind)
            yield Input(f"{group}.{name}", type_name, section == "required", choices, options)


def _without_type(node: EditorNode) -> Widgets:
    """Values of a node of a kind nobody knows: by name, or one for each of its slots that stand for a widget."""
    if node.named is not None:
        return Widgets({name: as_literal(each) for name, each in node.named.items() if _is_sent(name, each)})
    names = [slot.name for slot in node.inputs if slot.is_widget]
    row = node.values or ()
    found: dict[str, Any] = {}
    place = 0
    for name in names:
        if place < len(row):
            found[name] = as_literal(row[place])
        place += 1
        if place < len(row) and is_control(row[place]):
            place += 1
    if place == len(row):
        return Widgets(found)
    return Widgets({}, is_known=False)
