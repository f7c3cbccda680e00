"""What is wrong with a prompt, in words for people and in the shape ComfyUI's clients read."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.graph.nodetype import Input
from engine.graph.prompt import Prompt

MAX_SHOWN_CHARACTERS = 200
MAX_REPORTED_LINES = 50


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a value, before anyone knows which node it belongs to."""

    kind: str
    message: str
    details: str
    remedy: str
    extra_info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, why, and what to do. `kind` is ComfyUI's error type.

    `node` is None when it is the prompt as a whole, `input` when it is no single input.
    """

    node: str | None
    class_type: str
    input: str | None
    kind: str
    message: str
    details: str
    remedy: str
    extra_info: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, flaw: Flaw, node: str | None = None, class_type: str = "", input: str | None = None) -> "Problem":
        """A flaw at its place."""
        return cls(node, class_type, input, flaw.kind, flaw.message, flaw.details, flaw.remedy, flaw.extra_info)

    def text(self) -> str:
        """One line for people: where, what, and what to do."""
        where = "" if self.node is None else f"node {short(self.node)} ({short(self.class_type) or 'no class'})"
        if self.input is not None:
            where += f", input {short(self.input)}"
        # Most of ComfyUI's details begin with the input's name, which has been said by then.
        named = re.compile(rf"{re.escape(self.input)}(?:$|: ?|, ?| - )") if self.input else None
        details = named.sub("", self.details, count=1) if named and named.match(self.details) else self.details
        # A message that is a sentence has said it all; ComfyUI adds the node's number, which stands in front here.
        is_said = not details or details in self.message or self.message.endswith(".")
        said = self.message.rstrip(".") if is_said else f"{self.message}: {details}"
        return f"{where + ': ' if where else ''}{said}. {self.remedy}"

    def to_json(self) -> dict[str, Any]:
        """ComfyUI's shape; what to do is under extra_info, where clients leave alone what they do not know."""
        return {
            "type": self.kind,
            "message": self.message,
            "details": self.details,
            "extra_info": {**self.extra_info, "remedy": self.remedy},
        }


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer to "can this prompt run?".

    outputs: the output nodes that can run, in the prompt's order; none: the prompt is refused. problems: all there are.
    prompt: the prompt with its values converted to their types. dependents: for each node with a problem of its own,
    the output nodes that it keeps from running.
    """

    problems: tuple[Problem, ...]
    outputs: tuple[str, ...]
    prompt: Prompt
    dependents: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_accepted(self) -> bool:
        """Whether anything can run. Problems may be there all the same: they name outputs that are left out."""
        return bool(self.outputs)

    def report(self) -> str:
        """Every problem on a line of its own."""
        lines = [problem.text() for problem in self.problems]
        if len(lines) > MAX_REPORTED_LINES:
            lines[MAX_REPORTED_LINES:] = [f"… and {len(lines) - MAX_REPORTED_LINES:,} more"]
        return "\n".join(lines)

    def node_errors(self) -> dict[str, Any]:
        """The problems by node, as POST /prompt answers them."""
        result: dict[str, Any] = {}
        for problem in self.problems:
            if problem.node is None:
                continue
            entry = result.setdefault(
                problem.node,
                {
                    "errors": [],
                    "dependent_outputs": list(self.dependents.get(problem.node, ())),
                    "class_type": problem.class_type,
                },
            )
            entry["errors"].append(problem.to_json())
        return result

    def error(self) -> dict[str, Any] | None:
        """Why the prompt as a whole is refused, as POST /prompt answers it; None when it is accepted."""
        if self.is_accepted:
            return None
        for problem in self.problems:
            if problem.node is None or problem.kind == "missing_node_type":
                return problem.to_json()
        # ComfyUI: details are about the output nodes themselves; where they have no fault, the causes are more use.
        own = [each for each in self.problems if each.node in self.dependents.get(each.node or "", ())]
        lines = [f"{each.message}: {each.details}" for each in own[:MAX_REPORTED_LINES]]
        return {
            "type": "prompt_outputs_failed_validation",
            "message": "Prompt outputs failed validation",
            "details": "\n".join(lines) or self.report(),
            "extra_info": {},
        }


def short(value: object) -> str:
    """A value as a message can show it: texts bare, everything else as Python writes it, long ones cut."""
    shown = value if isinstance(value, str) else repr(value)
    shown = shown[: MAX_SHOWN_CHARACTERS + 1]
    # A NUL or a line break inside a message would be read as part of it.
    shown = shown if shown.isprintable() else repr(shown)[1:-1]
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}…"


def received(value: Any) -> Any:
    """A value as an answer can carry it: itself where strict JSON can hold it and it is not long, else its text."""
    try:
        if len(json.dumps(value, allow_nan=False)) <= MAX_SHOWN_CHARACTERS * 10:
            return value
    except (ValueError, TypeError, RecursionError):
        pass
    return short(value)


def about(each: Input, config: object, value: Any, **more: Any) -> dict[str, Any]:
    """What extra_info says of an input and the value it got."""
    return {"input_name": each.name, "input_config": config, "received_value": received(value), **more}
