"""What anyone may know about a kind of node: its inputs, its outputs, and the functions its author wrote.

Built-in nodes are made from annotated functions (define.py); ComfyUI's classes are adapted to the same description in
compat. Nothing here knows what a value on a wire is: a type is a name, and names are compared in sockets.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Choices = Sequence[str | int | float | bool] | Callable[[], Sequence[str]]
"""The options of a combo: fixed, or a function that reads them anew (file lists change while we run)."""

WIDGET_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})


@dataclass(frozen=True, slots=True)
class Input:
    """One named input of a node type.

    `options` holds what the editor shows and validation checks, under ComfyUI's names: default, min, max, step, round,
    multiline, dynamicPrompts, tooltip, lazy, forceInput, rawLink, control_after_generate, image_upload and so on.
    `spelling` is how its author wrote it, where /object_info must show that: "bare" is [type], "combo" ["COMBO",
    {"options": …}]; empty is [type, options] and [[choices…], options].
    """

    name: str
    type: str
    required: bool = True
    choices: Choices | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    spelling: str = ""

    @property
    def is_widget(self) -> bool:
        """Whether a person types this value into the node; otherwise it can only come over a wire."""
        return self.type in WIDGET_TYPES and not self.options.get("forceInput")

    @property
    def is_lazy(self) -> bool:
        """Whether the node decides, once running, if it needs this input at all."""
        return bool(self.options.get("lazy"))

    @property
    def is_raw_link(self) -> bool:
        """Whether the node wants the link itself ([node id, slot]) and not the value that flows over it."""
        return bool(self.options.get("rawLink"))

    def current_choices(self) -> tuple[Any, ...]:
        """The options of a combo, read now; empty for other types."""
        if self.choices is None:
            return ()
        return tuple(self.choices() if callable(self.choices) else self.choices)


@dataclass(frozen=True, slots=True)
class Output:
    """One output slot. `is_list`: the node returns a list there, and each item goes on by itself."""

    name: str
    type: str
    is_list: bool = False
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class NodeType:
    """A kind of node: description, and the author's functions behind it.

    `function(**inputs)` does the work (with `create`, `function(instance, **inputs)`; the executor keeps one instance
    per node id across prompts). It may be a coroutine function. It returns a value, a tuple with one value per output,
    a Result, or None for a node without outputs. The other functions take whichever inputs `*_inputs` names, with links
    as None:

    * `fingerprint` (IS_CHANGED): its value becomes part of the cache key; NaN means always run.
    * `validate` (VALIDATE_INPUTS): True, or a text, or False. `validate_inputs=None` means it takes every input
      (**kwargs); "input_types" among them hands it the types of the links and turns our type check off, and so does
      `takes_link_types`. `file_check` is its name in engine.file_checks, where it is one of those: a process without
      nodes can run it then.
    * `check_lazy`: called as `function` is, inputs not yet computed as None; returns the names it needs.

    `hidden` maps a parameter name to what the engine puts there: UNIQUE_ID, PROMPT, EXTRA_PNGINFO, DYNPROMPT, RUN.
    Kinds beyond FILLED_IN are an author's own: what a prompt gives under such a name is handed over, else nothing.

    `others`: inputs that are not declared are taken too, each like this one (its name is empty). `shown` are further
    keys of the entry in /object_info. `salt` tells results of an author's code from those of the code it was before.
    `is_checked_elsewhere`: there is a `validate`, but only the process with the author's code has it.

    `yields`: a plugin's node of the same id takes its place, as with nodes that plugins had first.

    `entry` makes the entry of /object_info where clients must see the author's own spelling and not ours.
    """

    id: str
    function: Callable[..., Any] | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    display_name: str = ""
    category: str = ""
    description: str = ""
    python_module: str = "nodes"
    is_output: bool = False
    input_is_list: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api: bool = False
    not_idempotent: bool = False
    yields: bool = False
    create: Callable[[], object] | None = None
    fingerprint: Callable[..., object] | None = None
    fingerprint_inputs: tuple[str, ...] | None = ()
    validate: Callable[..., bool | str] | None = None
    validate_inputs: tuple[str, ...] | None = ()
    file_check: str = ""
    check_lazy: Callable[..., Sequence[str]] | None = None
    entry: Callable[[], Mapping[str, Any]] | None = None
    others: Input | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)
    salt: str = ""
    is_checked_elsewhere: bool = False
    takes_link_types: bool = False

    @property
    def compares_types(self) -> bool:
        """Whether the author's own check says which types may be wired, and not ours."""
        return self.takes_link_types or "input_types" in (self.validate_inputs or ())

    def input(self, name: str) -> Input | None:
        """The input of that name, or None."""
        return next((each for each in self.inputs if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Result:
    """What a node returns when a plain value does not say it all.

    values: one per output, or links into `expand`. ui: what clients are shown, lists by key ("images", "text").
    expand: a sub-graph {id: {class_type, inputs}} that takes the node's place; `values` may then hold [id, slot] links
    to its nodes. An id becomes `<node>.<call>.0.<id>`, unless it begins with `<node>.<call>.` already; give such ids
    where the graph is also wired to nodes outside, which may have the same short ids.
    """

    values: tuple[Any, ...] = ()
    ui: Mapping[str, Sequence[Any]] | None = None
    expand: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """In place of a value: whoever needs it is not run, silently, or with the message shown at the first of them."""

    message: str | None = None


FILLED_IN = frozenset(
    {
        "UNIQUE_ID", "PROMPT", "EXTRA_PNGINFO", "DYNPROMPT", "RUN", "AUTH_TOKEN_COMFY_ORG", "API_KEY_COMFY_ORG",
        "COMFY_USAGE_SOURCE", "EXECUTION_LIST",
    }
)  # fmt: skip
"""The kinds of hidden inputs that are never taken from the prompt."""
