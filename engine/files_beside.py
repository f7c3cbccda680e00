"""Pictures and latents that lie beside a workflow file, for the nodes that load them from the input folder."""

import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from engine.folders import split_annotation
from engine.graph.marks import FileChoices
from engine.graph.registry import Registry
from engine.saving import name_it
from engine.unfinished import unfinished

_log = logging.getLogger(__name__)


def named(prompt: Mapping[str, Any], registry: Registry) -> set[str]:
    """The files that a prompt in API JSON loads from the top of the input folder; names that lead elsewhere are not."""
    found = set()
    for node in prompt.values():
        said: Mapping[str, Any] = node if isinstance(node, Mapping) else {}
        inputs = said.get("inputs")
        given: Mapping[str, Any] = inputs if isinstance(inputs, Mapping) else {}
        node_type = registry.get(str(said.get("class_type")))
        for each in node_type.inputs if node_type is not None else ():
            if isinstance(each.choices, FileChoices) and each.choices.is_input:
                found.add(_plain(given.get(each.name)))
    return found - {""}


def lay_out(names: Iterable[str], source: Path, target: Path) -> None:
    """Copies files of these plain names into the input folder, from the folder that has them.

    A file that has the name already stays as it is, and one that is in neither folder is left to whoever loads it.
    """
    for name in sorted(names):
        try:
            if (source / name).is_file() and not (target / name).exists():
                target.mkdir(parents=True, exist_ok=True)
                with open(source / name, "rb") as file, unfinished(target, lambda copy: _copy(file, copy)) as whole:
                    name_it(whole, target / name)
        except (OSError, ValueError) as error:  # the node that loads it says that it is missing
            _log.warning("%s: cannot be put into the input folder %s (%s)", source / name, target, error)


def lay_out_beside(workflow: Path, prompt: Mapping[str, Any], registry: Registry, target: Path) -> None:
    """Copies what a workflow file loads and the input folder lacks from beside it; links, which lead away, are not."""
    folder = workflow.parent
    lay_out((name for name in named(prompt, registry) if not os.path.islink(folder / name)), folder, target)


def _plain(value: object) -> str:
    """The name of a file at the top of the input folder; empty for any other value."""
    if not isinstance(value, str) or "\0" in value:
        return ""
    name, annotated = split_annotation(value)
    is_plain = annotated in (None, "input") and Path(name).name == name and not set(name) & set("/\\:")
    return name if is_plain else ""


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    shutil.copyfileobj(source, target)
