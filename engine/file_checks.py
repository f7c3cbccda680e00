"""What nodes ask about files before a prompt is accepted, in words for the user; by name, for whoever has no nodes.

The API process validates prompts without the nodes' code. These checks need nothing but the folders, so it can run them
itself: a node type's description carries the name, `named` finds the function again.
"""

from collections.abc import Callable

from engine.errors import PathError
from engine.folders import Folders
from engine.saving import check_prefix

Answer = bool | str
"""True, or why the node cannot run."""


def image_exists(image: str | None, folders: Folders) -> Answer:
    """Whether the input folder holds the file, or why the node cannot run.

    None stands for a name that comes over a wire, later; a null in the graph has been refused before.
    """
    try:
        if image is not None:
            folders.input_file(image)
    except PathError:
        return f"Invalid image file: {image}"
    return True


def latent_exists(latent: str | None, folders: Folders) -> Answer:
    """Whether the input folder holds the file, or why the node cannot run; None as for `image_exists`."""
    return True if image_exists(latent, folders) is True else f"Invalid latent file: {latent}"


def prefix_stays_inside(filename_prefix: str | None, folders: Folders) -> Answer:
    """Whether pictures may be written there, or why not; asked before hours of sampling and not after."""
    try:
        if filename_prefix is not None:
            check_prefix(folders.output, filename_prefix)
    except PathError as error:
        return str(error)
    return True


def name_of(check: object) -> str:
    """The name by which others find a check; empty for a function that only its author has."""
    return next((name for name, known in _CHECKS.items() if known is check), "")


def named(name: str) -> Callable[..., Answer] | None:
    """The check of that name; None, when there is none here."""
    return _CHECKS.get(name)


_CHECKS: dict[str, Callable[..., Answer]] = {
    check.__name__: check for check in (image_exists, latent_exists, prefix_stays_inside)
}
