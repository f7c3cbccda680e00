"""A node class as authors have written it since 2023 (INPUT_TYPES, RETURN_TYPES, FUNCTION …), as a NodeType."""

import inspect
from typing import Any

from compat.v1 import inputs, outputs
from engine.errors import NodeTypeError
from engine.graph.nodetype import NodeType

_SHOWN = {
    "HAS_INTERMEDIATE_OUTPUT": "has_intermediate_output",
    "DEV_ONLY": "dev_only",
    "SEARCH_ALIASES": "search_aliases",
    "ESSENTIALS_CATEGORY": "essentials_category",
}
"""Members that clients are shown and the engine does not look at."""


def node_type(
    cls: Any, id: str, display_name: str | None = None, python_module: str = "custom_nodes.unknown"
) -> NodeType:
    """The node type of a class.

    Raises: NodeTypeError saying why the class cannot be one, in a line.
    """
    if not isinstance(id, str) or not id:
        raise NodeTypeError(f"{python_module}: a node is called {id!r:.80}; expected a name")
    if not inspect.isclass(cls):
        raise NodeTypeError(f"node {id!r} ({python_module}) is {type(cls).__name__} and no class")
    try:
        return _node_type(cls, id, display_name, python_module)
    except NodeTypeError as error:
        raise NodeTypeError(f"node {id!r} ({python_module}): {error}") from error
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        said = f"{type(error).__name__}: {text}" if text else type(error).__name__
        raise NodeTypeError(f"node {id!r} ({python_module}) cannot be described: {said}{_line(error)}") from error


def _node_type(cls: Any, id: str, display_name: str | None, python_module: str) -> NodeType:
    # Here, because they stand on ComfyUI's module names, which are there once compat.install has run.
    from compat.v1 import hooks
    from compat.v1.calling import RUN, SENT_ALONG, Manner, function

    declared = inputs.read(cls)
    made = outputs.read(cls)
    is_list = bool(getattr(cls, "INPUT_IS_LIST", False))  # ComfyUI: (True,) is true too, and so is (False,)
    sent_along = tuple((name, SENT_ALONG[kind]) for name, kind in declared.hidden.items() if kind in SENT_ALONG)
    manner = Manner(id, made, is_list, sent_along)
    check = hooks.check(cls, manner)
    return NodeType(
        id=id,
        function=function(cls, str(getattr(cls, "FUNCTION", "") or ""), manner),
        inputs=declared.inputs,
        outputs=made,
        hidden={**declared.hidden, RUN: "RUN"},
        display_name=_text(display_name, id),
        category=_text(getattr(cls, "CATEGORY", None), "sd"),
        description=_text(getattr(cls, "DESCRIPTION", None)),
        python_module=python_module,
        is_output=bool(getattr(cls, "OUTPUT_NODE", False)),
        input_is_list=is_list,
        is_deprecated=bool(getattr(cls, "DEPRECATED", False)),
        is_experimental=bool(getattr(cls, "EXPERIMENTAL", False)),
        is_api=bool(getattr(cls, "API_NODE", False)),
        not_idempotent=bool(getattr(cls, "NOT_IDEMPOTENT", False)),
        create=cls,
        fingerprint=hooks.fingerprint(cls, manner),
        fingerprint_inputs=None,
        validate=check.function,
        validate_inputs=check.names,
        check_lazy=hooks.check_lazy(cls, manner),
        others=declared.others,
        shown={key: getattr(cls, name) for name, key in _SHOWN.items() if getattr(cls, name, None)},
        takes_link_types=check.takes_link_types,
    )


def _text(value: Any, default: str = "") -> str:
    return default if value is None else str(value)


def _line(error: BaseException) -> str:
    """Where in the author's code it happened."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace is not None else ""
