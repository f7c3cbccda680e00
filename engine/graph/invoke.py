"""Calling what a node's author wrote: the function and the hooks, each with exactly the arguments it asks for."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import NodeTypeError
from engine.graph import literals
from engine.graph.events import Emit
from engine.graph.expansion import DynamicPrompt
from engine.graph.lists import Lists, calls
from engine.graph.nodetype import FILLED_IN, Blocked
from engine.graph.run import Run, never
from engine.graph.signature import Digest, encode_fingerprint
from engine.graph.sockets import accepts
from engine.graph.step import Step, Steps


class Instances:
    """The objects behind stateful nodes: one per node id and kind, kept while the id stays in the graph."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], tuple[str, object, object]] = {}

    def get(self, step: Step, root: str) -> object:
        """The object of this node, made on first use. root: the node of the prompt that it came from."""
        key = (step.id, step.node.class_type)
        create = step.type.create
        found = self._objects.get(key)
        if found is None or found[2] is not create:  # there is none, or its class has been written anew since
            if create is None:
                raise NodeTypeError(f"{step.type.id} has no objects to make")
            found = self._objects[key] = (root, create(), create)
        return found[1]

    def keep_only(self, prompt: Mapping[str, Any]) -> None:
        """Lets go of the objects whose node, or the node that it came from, is not in the prompt."""
        for key, (root, *_) in [*self._objects.items()]:
            if root not in prompt:
                self._objects.pop(key, None)

    def drop(self, class_types: Collection[str]) -> None:
        """Lets go of the objects of these kinds, whose code has been replaced."""
        for key in [*self._objects]:
            if key[1] in class_types:
                self._objects.pop(key, None)

    def __len__(self) -> int:
        return len(self._objects)


@dataclass(slots=True)
class Invoker:
    """Calls authors' functions for one run. resolve: waits for the answer of a hook that is a coroutine."""

    graph: DynamicPrompt
    steps: Steps
    emit: Emit
    instances: Instances
    digest: Digest
    resolve: Callable[[Any], Any]
    is_cancelled: Callable[[], bool] = never
    extra: Mapping[str, Any] = field(default_factory=dict)
    job: str = ""
    attempt: int = 1
    preview_method: str | None = None

    def call(self, step: Step, inputs: Mapping[str, Any], index: int = 0) -> Any:
        """Calls the node's function; index: which of its calls this is. Returns: what it returned."""
        node_type = step.traits.type
        function = node_type.function
        if function is None:
            raise NodeTypeError(f"{node_type.id} is only described here, it cannot be run in this process")
        arguments = {**inputs, **self._hidden(step, index)} if node_type.hidden else inputs
        if node_type.create is None:
            return function(**arguments)
        return function(self.instances.get(step, self.graph.root(step.id)), **arguments)

    def needs(self, step: Step, inputs: Lists) -> list[str]:
        """The lazy inputs the node asks for, given those it has; empty when it can run."""
        check = step.type.check_lazy
        missing = [name for name in step.links if name not in inputs]
        if check is None or not missing:
            return []
        padded = {**inputs, **{name: [None] for name in missing}}
        wanted: set[str] = set()
        for index, arguments in enumerate(calls(padded, step.type.input_is_list)):
            if not isinstance(arguments, Blocked):
                arguments |= self._hidden(step, index)
                has_instance = step.type.create is not None
                own = (self.instances.get(step, self.graph.root(step.id)),) if has_instance else ()
                wanted.update(self.resolve(check(*own, **arguments)) or ())
        return [name for name in missing if name in wanted]

    def fingerprint(self, step: Step) -> bytes | None:
        """What the author says the result depends on besides the inputs; None: always run."""
        hook = step.type.fingerprint
        if hook is None:
            return b""
        try:
            value = self.resolve(hook(**self._constants(step, step.type.fingerprint_inputs)))
        except (Exception, SystemExit):  # noqa: BLE001 -- ComfyUI: an exception counts as NaN
            return None
        return encode_fingerprint(value, self.digest)

    def refusal(self, step: Step) -> str | None:
        """Why the author's validation refuses the node's constants; None when it does not."""
        hook = step.type.validate
        wrong = (None if step.type.compares_types else self._mismatch(step)) or _unlisted(step)
        if wrong is not None:
            return wrong
        if hook is None:
            return None
        names = step.type.validate_inputs
        arguments = self._constants(step, names)
        if step.type.compares_types:
            arguments["input_types"] = dict(self._link_types(step))
        answer = self.resolve(hook(**arguments))
        if answer is True:
            return None
        detail = answer if isinstance(answer, str) else ", ".join(names or step.constants)
        return f"{step.type.id} refuses its inputs: {detail}"

    def _constants(self, step: Step, names: Iterable[str] | None) -> dict[str, Any]:
        """The inputs a hook asked for (None: all), links as None, hidden ones too if it names them."""
        declared = {name: step.constants.get(name) for name in (*step.constants, *step.links)}
        if step.type.input_is_list:
            declared = {name: [value] for name, value in declared.items()}
        everything = {**declared, **(self._hidden(step, 0) if step.type.hidden else {})}
        return everything if names is None else {name: everything[name] for name in names if name in everything}

    def _mismatch(self, step: Step) -> str | None:
        """The first wire whose types do not fit, where the process that checked the prompt could not tell."""
        for name, received in self._link_types(step):
            wanted = step.type.input(name)
            if wanted is not None and not accepts(wanted.type, received):
                fit = f"a {''.join(received)} does not fit into a {''.join(wanted.type)}"
                return f"input {name}: {fit}; wire it to another output"
        return None

    def _link_types(self, step: Step) -> Iterator[tuple[str, str]]:
        for name, link in step.links.items():
            outputs = self.steps[link.node].type.outputs
            if 0 <= link.slot < len(outputs):
                yield name, outputs[link.slot].type

    def _hidden(self, step: Step, index: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, kind in step.type.hidden.items():
            if kind == "RUN":
                values[name] = self._run(step, index)
                continue
            if kind not in FILLED_IN:
                continue
            value = self._hidden_value(step, kind)
            # ComfyUI: a node that takes lists gets its hidden inputs as lists too.
            values[name] = [value] if step.type.input_is_list else value
        return values

    def _hidden_value(self, step: Step, kind: str) -> Any:
        if kind == "UNIQUE_ID":
            return step.id
        if kind == "PROMPT":
            return self.graph.get_original_prompt()
        if kind == "EXTRA_PNGINFO":
            return self.extra
        if kind == "DYNPROMPT":
            return self.graph
        return None

    def _run(self, step: Step, index: int) -> Run:
        prompt = self.graph.get_original_prompt()
        return Run(
            step.id,
            self.emit,
            self.is_cancelled,
            prompt,
            self.extra,
            index,
            self.job,
            self.attempt,
            self.preview_method,
        )


def _unlisted(step: Step) -> str | None:
    """The first choice that its author does not list now, where the process that checked the prompt could not tell."""
    names = step.type.validate_inputs
    for each in step.type.inputs:
        if not callable(each.choices) or names is None or each.name in names or each.name not in step.constants:
            continue
        flaw = literals.not_in_list(each, step.constants[each.name], each.current_choices())
        if flaw is not None:
            return f"{flaw.message}: {flaw.details}. {flaw.remedy}"
    return None
