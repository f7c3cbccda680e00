"""The node types there are."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypeAlias, TypedDict

InputConfig: TypeAlias = Sequence[Any]
"""[type, options]; a combo is [[choice, …], options]; the options may be missing."""


class NodeInputs(TypedDict):
    """The inputs of a node type by name."""

    required: Mapping[str, InputConfig]
    optional: NotRequired[Mapping[str, InputConfig]]
    hidden: NotRequired[Mapping[str, Any]]


class InputOrder(TypedDict):
    """The names of the inputs in their order."""

    required: Sequence[str]
    optional: NotRequired[Sequence[str]]
    hidden: NotRequired[Sequence[str]]


class NodeTypeEntry(TypedDict):
    """A node type in /object_info. Entries that other programs made lack what is optional here."""

    input: NodeInputs
    input_order: NotRequired[InputOrder]
    is_input_list: NotRequired[bool]
    output: Sequence[str]
    output_is_list: Sequence[bool]
    output_name: Sequence[str]
    output_tooltips: NotRequired[Sequence[str | None]]
    name: str
    display_name: str
    description: str
    python_module: str
    category: str
    output_node: bool
    deprecated: NotRequired[bool]
    experimental: NotRequired[bool]
    api_node: NotRequired[bool]
    search_aliases: NotRequired[Sequence[str]]


ObjectInfo: TypeAlias = Mapping[str, NodeTypeEntry]
"""The answer of GET /object_info."""


class SubgraphInfo(TypedDict):
    """Where a shared sub-graph comes from: the plugin as python_module names it."""

    node_pack: str


class SharedSubgraph(TypedDict):
    """A sub-graph in GET /global_subgraphs. data: the graph as a text of JSON, when it is asked for by its id."""

    source: str
    name: str
    info: SubgraphInfo
    data: NotRequired[str]
