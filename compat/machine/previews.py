"""Whether anybody wants the picture that a sampler shows of a step."""

from typing import Any

from comfy.cli_args import LatentPreviewMethod, args

from compat.host import host, is_installed


class Unasked(tuple[Any, ...]):
    """A preview (format, picture, longest side) that is shown only because this server's setting says so."""

    __slots__ = ()


def of_a_step(shown: Any) -> Any:
    """The preview of a step, marked where neither the prompt nor a plugin wants it."""
    if not isinstance(shown, tuple):
        return shown
    run = host().run if is_installed() else None
    # A previewer in spite of the setting is a plugin's own will.
    is_asked = args.preview_method == LatentPreviewMethod.NoPreviews or bool(run and run.preview_method)
    return shown if is_asked else Unasked(shown)
