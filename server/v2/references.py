"""References to assets inside a workflow: {"__type": "core/ASSET", "info": {"id": …}} where a file name would be."""

from collections.abc import Iterator, Mapping
from typing import Any

KIND = "core/ASSET"


def is_reference(value: object) -> bool:
    """Whether a value says that it is a reference, well-formed or not."""
    return isinstance(value, Mapping) and value.get("__type") == KIND


def references(workflow: Any) -> Iterator[Mapping[str, Any]]:
    """Every reference in a workflow."""
    if is_reference(workflow):
        yield workflow
    elif isinstance(workflow, Mapping):
        for each in workflow.values():
            yield from references(each)
    elif isinstance(workflow, list):
        for each in workflow:
            yield from references(each)


def wanted(reference: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The id and the hash a reference names; the id counts where both are there."""
    info = reference.get("info")
    if not isinstance(info, Mapping):
        return None, None
    id, hash = info.get("id"), info.get("hash")
    return (id if isinstance(id, str) else None), (hash if isinstance(hash, str) else None)


def replaced(workflow: Any, names: Mapping[tuple[str | None, str | None], str]) -> Any:
    """A copy of the workflow with names of files where the references were."""
    if is_reference(workflow):
        return names[wanted(workflow)]
    if isinstance(workflow, Mapping):
        return {key: replaced(each, names) for key, each in workflow.items()}
    if isinstance(workflow, list):
        return [replaced(each, names) for each in workflow]
    return workflow
