"""The class that V3 nodes inherit from, and what their `execute` returns.

A node has no instances: each call works on a copy of the class whose attributes cannot be set, with `hidden` in it.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

from comfy_api.latest._io_schema import HiddenHolder, Schema, input_types, output_names


class NodeOutput:
    """One value per output; what the browser is shown; a graph in the node's place; or why nothing goes on.

    ui: {"text": […]}, or one of the classes of `ui`. expand: a graph as GraphBuilder makes it (the schema needs
    enable_expand). block_execution: the message for whoever needs the outputs; they are not run.
    """

    def __init__(
        self,
        *args: Any,
        ui: Any = None,
        expand: Mapping[str, Any] | None = None,
        block_execution: str | None = None,
    ) -> None:
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution
        self.is_blocked = block_execution is not None  # an ExecutionBlocker may do so without a word

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The values; None when there are none."""
        return self.args or None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "NodeOutput":
        """What a V1 function's dict means: "result", "ui", "expand", "block_execution"."""
        result = data.get("result")
        blocked = data.get("block_execution")
        if _is_blocker(result):
            result, blocked = None, getattr(result, "message", None)
        values = () if result is None else tuple(getattr(result, "args", result))
        made = cls(*values, ui=data.get("ui"), expand=data.get("expand"), block_execution=blocked)
        made.is_blocked = made.is_blocked or _is_blocker(data.get("result"))
        return made

    def __getitem__(self, index: Any) -> Any:
        return self.args[index]

    def __len__(self) -> int:
        return len(self.args)

    def __bool__(self) -> bool:
        return True


class _Read:
    """An attribute of the class that is read from its schema."""

    def __init__(self, read: Callable[[Schema], Any], doc: str) -> None:
        self._read = read
        self.__doc__ = doc

    def __get__(self, instance: object, owner: "type[ComfyNode]") -> Any:
        return self._read(owner.SCHEMA())


class _Function:
    """The method that V1's way of calling uses."""

    def __get__(self, instance: object, owner: "type[ComfyNode]") -> str:
        return "EXECUTE_NORMALIZED_ASYNC" if inspect.iscoroutinefunction(owner.execute) else "EXECUTE_NORMALIZED"


class ComfyNode:
    """A node: a class with `define_schema` and `execute`. Both, and the other hooks, are class methods."""

    SCHEMA_KEPT: ClassVar[Schema | None] = None
    RELATIVE_PYTHON_MODULE: str | None = None
    hidden: HiddenHolder = HiddenHolder()

    CATEGORY = _Read(lambda schema: schema.category, "Where the node is in the menu.")
    DESCRIPTION = _Read(lambda schema: schema.description, "What the node does.")
    EXPERIMENTAL = _Read(lambda schema: schema.is_experimental, "Whether it may change.")
    DEPRECATED = _Read(lambda schema: schema.is_deprecated, "Whether another should be used.")
    DEV_ONLY = _Read(lambda schema: schema.is_dev_only, "Whether it is for developers.")
    API_NODE = _Read(lambda schema: schema.is_api_node, "Whether it asks a service.")
    OUTPUT_NODE = _Read(lambda schema: schema.is_output_node, "Whether it shows or saves something.")
    HAS_INTERMEDIATE_OUTPUT = _Read(
        lambda schema: schema.has_intermediate_output, "Whether it shows what it passes on."
    )
    SEARCH_ALIASES = _Read(lambda schema: schema.search_aliases, "Other words it is found by.")
    ESSENTIALS_CATEGORY = _Read(lambda schema: schema.essentials_category, "Its place among the essentials.")
    INPUT_IS_LIST = _Read(lambda schema: schema.is_input_list, "Whether it takes lists.")
    OUTPUT_IS_LIST = _Read(lambda schema: [each.is_output_list for each in schema.outputs], "Which outputs are lists.")
    OUTPUT_TOOLTIPS = _Read(lambda schema: [each.tooltip for each in schema.outputs], "What outputs are.")
    RETURN_TYPES = _Read(lambda schema: [each.get_io_type() for each in schema.outputs], "The types of its outputs.")
    RETURN_NAMES = _Read(output_names, "What its outputs are called.")
    NOT_IDEMPOTENT = _Read(lambda schema: schema.not_idempotent, "Whether each node of the kind runs by itself.")
    ACCEPT_ALL_INPUTS = _Read(lambda schema: schema.accept_all_inputs, "Whether it takes inputs nobody declared.")

    @classmethod
    def define_schema(cls) -> Schema:
        """What the node is. Asked often, because lists of files change."""
        raise NotImplementedError(f"{cls.__name__} needs a class method define_schema() that returns an io.Schema")

    @classmethod
    def execute(cls, **inputs: Any) -> Any:
        """Does the work; may be `async`. Returns: a NodeOutput, a tuple, a dict or None."""
        raise NotImplementedError(f"{cls.__name__} needs a class method execute(…) that takes its inputs by name")

    @classmethod
    def validate_inputs(cls, **inputs: Any) -> bool | str:
        """True, or what is wrong with the inputs; those that come over a wire are None."""
        return True

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> Any:
        """What the result depends on besides the inputs; while it stays equal the node is not run again."""
        return None

    @classmethod
    def check_lazy_status(cls, **inputs: Any) -> list[str]:
        """The lazy inputs that are needed, given the others; those not computed yet are None."""
        return [name for name, value in inputs.items() if value is None]

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        """The schema, checked and completed. Raises: ValueError."""
        schema = cls.define_schema()
        if not isinstance(schema, Schema):
            raise TypeError(f"{cls.__name__}.define_schema() must return an io.Schema, got {schema!r:.100}")
        schema.validate()
        schema.finalize()
        cls._own().SCHEMA_KEPT = schema
        return schema

    FINALIZE_SCHEMA = GET_SCHEMA

    @classmethod
    def SCHEMA(cls) -> Schema:
        """The schema as it was when it was last asked for; for what does not change."""
        kept = cls._own().__dict__.get("SCHEMA_KEPT")
        return kept if isinstance(kept, Schema) else cls.GET_SCHEMA()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """The inputs as V1 nodes describe them."""
        return input_types(cls.GET_SCHEMA())

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict[str, Any]:
        """The entry of /object_info."""
        return cls.GET_SCHEMA().get_v1_info(cls)

    @classmethod
    def GET_NODE_INFO_V3(cls) -> dict[str, Any]:
        """The same in V3's own words."""
        return cls.GET_SCHEMA().get_v3_info(cls)

    FUNCTION = _Function()

    @classmethod
    def EXECUTE_NORMALIZED(cls, *args: Any, **inputs: Any) -> NodeOutput:
        """`execute`, whatever it returns made a NodeOutput."""
        return normalized(cls, cls.execute(*args, **inputs))

    @classmethod
    async def EXECUTE_NORMALIZED_ASYNC(cls, *args: Any, **inputs: Any) -> NodeOutput:
        """The same for an `execute` that is `async`."""
        return normalized(cls, await cls.execute(*args, **inputs))

    @classmethod
    def PREPARE_CLASS_CLONE(cls, hidden: Mapping[Any, Any] | HiddenHolder | None = None) -> "type[ComfyNode]":
        """The class for one call: locked, and with these hidden values."""
        holder = hidden if isinstance(hidden, HiddenHolder) else HiddenHolder.from_dict(hidden)
        own = cls._own()
        meta: type = type(own)
        locked: type[ComfyNode] = _locking(meta)(own.__name__, (own,), {"hidden": holder, _CLONED: own})
        return locked

    @classmethod
    def _own(cls) -> "type[ComfyNode]":
        """The class its author wrote, of a clone too."""
        found: type[ComfyNode] = getattr(cls, _CLONED, cls)
        return found


_CLONED = "_latentwire_cloned_from"


@functools.cache
def _locking(meta: type) -> Any:
    """The class of locked classes, for authors' classes of this class."""

    def refuse(cls: type, name: str, *value: Any) -> NoReturn:
        raise AttributeError(
            f"{cls.__name__}.{name} cannot be set while the node runs: V3 nodes keep no state. Return values instead, "
            "or keep what must last in a variable of the module"
        )

    return type("Locked", (meta,), {"__setattr__": refuse, "__delattr__": refuse})


def normalized(cls: type[ComfyNode], returned: Any) -> NodeOutput:
    """What `execute` returned, as a NodeOutput. Raises: TypeError for what is none; ValueError for a graph unasked."""
    if returned is None:
        made = NodeOutput()
    elif isinstance(returned, NodeOutput):
        made = returned
    elif _is_blocker(returned):
        made = NodeOutput(block_execution=returned.message)
        made.is_blocked = True
    elif isinstance(returned, Mapping):
        made = NodeOutput.from_dict(returned)
    elif isinstance(returned, tuple):
        made = NodeOutput(*returned)
    else:
        raise TypeError(
            f"{cls.__name__}.execute returned a {type(returned).__name__}; it must be an io.NodeOutput(…), a tuple, a "
            "dict or None"
        )
    if made.expand is not None and not cls.SCHEMA().enable_expand:
        raise ValueError(f"{cls.__name__}.execute returned a graph; say enable_expand=True in its schema")
    return made


def _is_blocker(value: Any) -> bool:
    """Whether it is an ExecutionBlocker: ComfyUI's own name for it is what plugins' copies keep too."""
    return type(value).__name__ == "ExecutionBlocker" and hasattr(value, "message")
