"""V3 classes as node types: what an `io.ComfyNode` says of itself, and how its hooks are called."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from comfy_api.latest import io
from comfy_api.latest._io_node import normalized
from comfy_api.latest._io_schema import input_types
from comfy_execution.graph_utils import GraphBuilder

from compat.crossing import enter
from compat.host import host
from compat.v1.calling import LET_THROUGH, SENT_ALONG, tamed
from compat.v1.results import result_of
from compat.v3.nesting import Nesting, mapped
from engine.errors import NodeTypeError
from engine.graph import dynamic
from engine.graph.describe import read_inputs
from engine.graph.marks import FileChoices
from engine.graph.nodetype import Blocked, Input, NodeType, Output, Result
from engine.graph.run import Run
from engine.graph.sockets import ANYTHING

__tracebackhide__ = True  # engine.graph.failure begins an author's traceback below these frames

RUN = "(run)"
"""The parameter the run comes in. Hidden values do in brackets too, for an input may be called as they are."""

OTHERS = Input("", ANYTHING, required=False)


def node_type(cls: type[io.ComfyNode], python_module: str) -> NodeType:
    """The node type of an author's V3 class.

    Raises: NodeTypeError, when its schema cannot be read.
    """
    cls.RELATIVE_PYTHON_MODULE = python_module
    try:
        schema = cls.GET_SCHEMA()
        inputs = _inputs(cls, schema)
        entry = cls.GET_NODE_INFO_V1()
    except Exception as error:
        raise NodeTypeError(f"{cls.__module__}.{cls.__qualname__}: its schema cannot be read: {error}") from error
    outputs = tuple(_output(each, name) for each, name in zip(schema.outputs, entry["output_name"], strict=True))
    caller = _Caller(cls, schema, outputs)
    hidden = {f"({name})": kind for name, kind in schema.hidden_names().items()}
    names = [*dynamic.possible(inputs)]
    fingerprint = caller.hook("fingerprint_inputs") if _is_own(cls, "fingerprint_inputs") else None
    checks = _is_own(cls, "validate_inputs")
    return NodeType(
        id=schema.node_id,
        function=caller.function(),
        inputs=inputs,
        outputs=outputs,
        hidden={**hidden, RUN: "RUN"},
        display_name=schema.display_name or "",
        category=schema.category,
        description=schema.description,
        python_module=python_module,
        is_output=schema.is_output_node,
        input_is_list=schema.is_input_list,
        is_deprecated=schema.is_deprecated,
        is_experimental=schema.is_experimental,
        is_api=schema.is_api_node,
        not_idempotent=schema.not_idempotent,
        fingerprint=fingerprint,
        fingerprint_inputs=None if fingerprint is not None else (),
        validate=caller.hook("validate_inputs") if checks else None,
        validate_inputs=_asked(cls.validate_inputs, names, schema.accept_all_inputs) if checks else (),
        check_lazy=caller.hook("check_lazy_status") if _is_own(cls, "check_lazy_status") else None,
        entry=cls.GET_NODE_INFO_V1,
        others=OTHERS if schema.accept_all_inputs else None,
    )


def _inputs(cls: type[io.ComfyNode], schema: io.Schema) -> tuple[Input, ...]:
    sections = {name: section for name, section in input_types(schema).items() if name != "hidden"}
    spelled = {name: {each: [*spec] for each, spec in section.items()} for name, section in sections.items()}
    written = {each.id: each for each in schema.inputs}
    return tuple(_input(cls, each, written[each.name]) for each in read_inputs(spelled))


def _input(cls: type[io.ComfyNode], each: Input, written: io.Input) -> Input:
    """The input as validation knows it: lists of files are asked for anew, and "*" takes anything."""
    if each.type == "*":
        return Input(each.name, ANYTHING, each.required, None, each.options)
    if each.type == "COMBO":
        options = {name: value for name, value in each.options.items() if name != "options"}
        choices = _files(getattr(written, "choices", None)) or _Choices(cls, each.name)
        return Input(each.name, each.type, each.required, choices, options, "combo")
    return each


def _files(listed: Any) -> FileChoices | None:
    """The files of a folder, where it is folder_paths that listed them and nothing else is among them."""
    kind = getattr(listed, "kind", "")
    if not kind:
        return None
    also, before = getattr(listed, "also", ()), getattr(listed, "before", ())
    files = FileChoices(host().folders, kind, tuple(also), tuple(before))
    return files if [*files()] == [*listed] else None


class _Choices:
    """The choices of a combo, as the schema lists them now."""

    def __init__(self, cls: type[io.ComfyNode], name: str) -> None:
        self._cls = cls
        self._name = name

    def __call__(self) -> list[Any]:
        for section in self._cls.INPUT_TYPES().values():
            if self._name in section:
                return [*section[self._name][1].get("options", ())]
        return []


def _output(each: io.Output, name: str) -> Output:
    kind: str = each.get_io_type()
    if isinstance(each, io.MatchType.Output):
        kind = each.template.as_dict()["allowed_types"]
    return Output(name, ANYTHING if "*" in kind.split(",") else kind, each.is_output_list, each.tooltip or "")


def _is_own(cls: type[io.ComfyNode], hook: str) -> bool:
    written, inherited = getattr(cls, hook), getattr(io.ComfyNode, hook)
    return getattr(written, "__func__", written) is not inherited.__func__


def _parameters(hook: Callable[..., Any]) -> set[str] | None:
    """The names a function takes; None: every name."""
    parameters = inspect.signature(hook).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return {each.name for each in parameters if each.kind is not each.VAR_POSITIONAL}


def _asked(hook: Callable[..., Any], names: list[str], takes_others: bool) -> tuple[str, ...] | None:
    """The inputs that a check takes, members of groups by their whole names; None: every one, declared or not."""
    wanted = _parameters(hook)
    if wanted is None:
        return None if takes_others else tuple(names)
    more = ("input_types",) if "input_types" in wanted else ()
    return (*(each for each in names if each.partition(".")[0] in wanted), *more)


class _Caller:
    """Calls the hooks of one class, with values in the clothes that authors know and hidden values in their place."""

    def __init__(self, cls: type[io.ComfyNode], schema: io.Schema, outputs: Sequence[Output]) -> None:
        self._cls = cls
        self._id = schema.node_id
        self._outputs = outputs
        self._is_list = schema.is_input_list
        self.nesting = Nesting(schema.inputs)

    def function(self) -> Callable[..., Any]:
        """What the executor calls: `execute`, waited for where it is `async`."""
        if inspect.iscoroutinefunction(self._cls.execute):
            return self._execute_later
        return self._execute

    def _execute(self, **given: Any) -> Any:
        run, locked, inputs = self._prepared(given)
        with host().node(run), _OnlyTheNode():
            returned = locked.execute(**inputs)
        if inspect.isawaitable(returned):
            return self._awaited(run, returned)
        return self._result(returned)

    async def _execute_later(self, **given: Any) -> Result | Blocked:
        run, locked, inputs = self._prepared(given)
        with host().node(run), _OnlyTheNode():
            returned = await locked.execute(**inputs)
        return self._result(returned)

    async def _awaited(self, run: Run | None, answer: Any) -> Result | Blocked:
        with host().node(run), _OnlyTheNode():
            returned = await answer
        return self._result(returned)

    def _prepared(self, given: dict[str, Any]) -> tuple[Run | None, type[io.ComfyNode], dict[str, Any]]:
        run = given.pop(RUN, None)
        locked = self._cls.PREPARE_CLASS_CLONE(self._hidden(given))
        values = {name: mapped(enter, value, self._is_list) for name, value in given.items() if not _in_brackets(name)}
        _number_graphs(run)
        return run, locked, self.nesting.nest(values)

    def _hidden(self, given: Mapping[str, Any]) -> io.HiddenHolder:
        """The hidden values the schema asks for. Those about the user come with the prompt."""
        made = {}
        for name, value in given.items():
            if _in_brackets(name) and name != RUN:
                made[name[1:-1]] = value[0] if self._is_list and isinstance(value, list) and value else value
        for name in set(SENT_ALONG.values()) & made.keys():
            made[name] = host().work.extra_data.get(name)
        return io.HiddenHolder(**made)

    def _result(self, returned: Any) -> Result | Blocked:
        output = normalized(self._cls, returned)
        ui = output.ui.as_dict() if hasattr(output.ui, "as_dict") else output.ui
        if output.is_blocked:
            return Result((Blocked(output.block_execution),) * len(self._outputs), ui)
        return result_of({"result": output.args, "ui": ui, "expand": output.expand}, self._id, self._outputs)

    def hook(self, name: str) -> Callable[..., Any]:
        """One of the other hooks, given the inputs it takes."""
        wanted = _parameters(getattr(self._cls, name))

        def call(**given: Any) -> Any:
            run = given.pop(RUN, None)
            locked = self._cls.PREPARE_CLASS_CLONE(self._hidden(given))
            values = {each: mapped(enter, v, self._is_list) for each, v in given.items() if not _in_brackets(each)}
            inputs = self.nesting.nest(values)
            asked = inputs if wanted is None else {each: value for each, value in inputs.items() if each in wanted}
            with host().node(run), _OnlyTheNode():
                return getattr(locked, name)(**asked)

        return call


class _OnlyTheNode:
    """What an author's code raises past everyone ends the node and not the program."""

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is not None and not isinstance(error, LET_THROUGH):
            raise tamed(error) from None


def _in_brackets(name: str) -> bool:
    return name.startswith("(")


def _number_graphs(run: Run | None) -> None:
    """Graphs that this call builds get ids that are the same in every run."""
    if run is not None:
        GraphBuilder.set_default_prefix(run.node_id, run.call, 0)
