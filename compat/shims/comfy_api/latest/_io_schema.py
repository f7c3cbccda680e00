"""What a V3 node says of itself, and the same in the older shapes: INPUT_TYPES and the entry of /object_info."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from comfy_api.latest._io_dynamic import DynamicInput, MatchType, sections
from comfy_api.latest._io_sockets import Input, Output


class Hidden(StrEnum):
    """What a node may be told besides its inputs; it finds it at `cls.hidden`."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"
    auth_token_comfy_org = "AUTH_TOKEN_COMFY_ORG"
    api_key_comfy_org = "API_KEY_COMFY_ORG"
    comfy_usage_source = "COMFY_USAGE_SOURCE"
    execution_list = "EXECUTION_LIST"


class HiddenHolder:
    """The hidden values of one call, by the names of `Hidden`; None for those that were not asked for."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    @classmethod
    def from_dict(cls, values: Mapping[Any, Any] | None) -> "HiddenHolder":
        """The holder of values by the members of `Hidden`, or by their names."""
        return cls(**{getattr(key, "name", str(key)): value for key, value in (values or {}).items()})


class Schema:
    """A node as its author describes it. Keyword arguments of newer versions are kept, whatever they are called."""

    def __init__(
        self,
        node_id: str,
        display_name: str | None = None,
        category: str = "sd",
        inputs: Sequence[Input] | None = None,
        outputs: Sequence[Output] | None = None,
        hidden: Iterable[Hidden] | None = None,
        description: str = "",
        is_input_list: bool = False,
        is_output_node: bool = False,
        is_deprecated: bool = False,
        is_experimental: bool = False,
        is_api_node: bool = False,
        not_idempotent: bool = False,
        enable_expand: bool = False,
        search_aliases: Sequence[str] | None = None,
        is_dev_only: bool = False,
        essentials_category: str | None = None,
        has_intermediate_output: bool = False,
        accept_all_inputs: bool = False,
        price_badge: Any = None,
        **more: Any,
    ) -> None:
        self.node_id = node_id
        self.display_name = display_name
        self.category = category
        self.inputs = [*(inputs or ())]
        self.outputs = [*(outputs or ())]
        self.hidden = [*(hidden or ())]
        self.description = description
        self.is_input_list = is_input_list
        self.is_output_node = is_output_node
        self.is_deprecated = is_deprecated
        self.is_experimental = is_experimental
        self.is_api_node = is_api_node
        self.not_idempotent = not_idempotent
        self.enable_expand = enable_expand
        self.search_aliases = [*(search_aliases or ())]
        self.is_dev_only = is_dev_only
        self.essentials_category = essentials_category
        self.has_intermediate_output = has_intermediate_output
        self.accept_all_inputs = accept_all_inputs
        self.price_badge = price_badge
        self.more = more

    def validate(self) -> None:
        """Raises: ValueError, when two inputs or outputs have one id, or a part is none."""
        if not isinstance(self.node_id, str) or not self.node_id:
            raise ValueError(f"a schema's node_id is a text, not {self.node_id!r}")
        for each in (*self.inputs, *self.outputs):
            if not isinstance(each, Input | Output):
                raise TypeError(f"{self.node_id}: expected inputs and outputs such as io.Int.Input(…), got {each!r}")
        for one in self.inputs:
            one.validate()
        ids = [*(each.id for each in self.inputs), *(each.id for each in self.outputs if each.id is not None)]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise ValueError(f"{self.node_id}: inputs and outputs need ids of their own, but {twice} come twice")

    def finalize(self) -> None:
        """Adds what an author need not write: hidden values that saving and paid nodes need, and ids of outputs."""
        needed = [Hidden.prompt, Hidden.extra_pnginfo] if self.is_output_node else []
        needed += [Hidden.auth_token_comfy_org, Hidden.api_key_comfy_org] if self.is_api_node else []
        self.hidden += [each for each in needed if each not in self.hidden]
        for index, output in enumerate(self.outputs):
            if output.id is None:
                output.id = f"_{index}_{output.get_io_type()}_"

    def hidden_names(self) -> dict[str, str]:
        """Name -> kind of the hidden values."""
        return {each.name: each.value for each in map(Hidden, self.hidden)}

    def get_v1_info(self, cls: type | None = None) -> dict[str, Any]:
        """The entry of /object_info."""
        inputs = input_types(self)
        shown = {
            name: {each: [*spec] for each, spec in section.items()} if name != "hidden" else section
            for name, section in inputs.items()
        }
        info = {
            "input": shown,
            "input_order": {name: [*section] for name, section in inputs.items()},
            "is_input_list": self.is_input_list,
            "output": [each.get_io_type() for each in self.outputs],
            "output_is_list": [each.is_output_list for each in self.outputs],
            "output_name": output_names(self),
            "output_tooltips": [each.tooltip for each in self.outputs],
            "name": self.node_id,
            "display_name": self.display_name or self.node_id,
            "description": self.description,
            "python_module": getattr(cls, "RELATIVE_PYTHON_MODULE", None) or "nodes",
            "category": self.category,
            "output_node": self.is_output_node,
            "deprecated": self.is_deprecated,
            "experimental": self.is_experimental,
            "api_node": self.is_api_node,
            "has_intermediate_output": self.has_intermediate_output,
            "search_aliases": self.search_aliases,
            "dev_only": self.is_dev_only,
            "essentials_category": self.essentials_category,
            "price_badge": self.price_badge.as_dict() if hasattr(self.price_badge, "as_dict") else self.price_badge,
        }
        matches = [_template(each) for each in self.outputs]
        if any(matches):
            info["output_matchtypes"] = matches
        return info

    def get_v3_info(self, cls: type | None = None) -> dict[str, Any]:
        """The same with inputs and outputs as lists of objects by id."""
        v1 = self.get_v1_info(cls)
        kept = {name: value for name, value in v1.items() if not name.startswith(("input", "output_"))}
        made: dict[str, Any] = {"input": {}, "output": {}, "hidden": list(self.hidden_names())}
        for one in self.inputs:
            made["input"][one.id] = {"type": one.get_io_type(), "optional": one.optional, **one.as_dict()}
        for out in self.outputs:
            made["output"][out.id] = {"type": out.get_io_type(), **out.as_dict()}
        return {**kept, **made, "output_node": self.is_output_node}


def input_types(schema: Schema) -> dict[str, dict[str, Any]]:
    """What INPUT_TYPES answers: sections of {id: (type, options)}; a hidden value is (kind,)."""
    hidden = {name: (kind,) for name, kind in schema.hidden_names().items()}
    return {**sections(schema.inputs), **({"hidden": hidden} if hidden else {})}


def output_names(schema: Schema) -> list[str]:
    """What outputs are called: as their author says, else by their type."""
    return [each.display_name or each.get_io_type() for each in schema.outputs]


def has_dynamic_inputs(schema: Schema) -> bool:
    """Whether an input stands for several."""
    return any(isinstance(each, DynamicInput) for each in schema.inputs)


def _template(output: Output) -> str | None:
    return output.template.template_id if isinstance(output, MatchType.Output) else None
