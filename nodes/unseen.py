"""What was connected for a model to look at, though it does not: said in the log, once for each job.

Nothing is said where ComfyUI's users rightly connect the same to any model: InpaintModelConditioning also puts its mask
on the latent, and that holds for every model.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine import values
from engine.graph.run import Run
from engine.sampling.inpainting import COLOURS

log = logging.getLogger(__name__)

SEEING = ("unclip", "sdxl", "refiner")
"""Vectors (engine/sampling/vectors.py) that pictures may be told in."""


class Unseen:
    """Looks at what drawings are given. One for a program; it remembers what it said of the latest job."""

    def __init__(self) -> None:
        self._job: object = None
        self._said: set[str] = set()

    def tell(
        self, model: values.Model, sides: Mapping[str, Sequence[Any]], latent: Mapping[str, Any], run: Run
    ) -> None:
        """Warns of what the model will not see, naming the inputs and the model."""
        job: object = run.job or run.prompt  # where nobody keeps a record, each run has a prompt of its own
        if job is not self._job and not (run.job and job == self._job):
            self._job, self._said = job, set()
        found: dict[str, list[str]] = {}
        for name, side in sides.items():
            for sentence in {each for options in _options(side) for each in unseen(model, options, latent)}:
                found.setdefault(sentence, []).append(name)
        for sentence, names in found.items():
            text = f"{' and '.join(names)}: {sentence}"
            if text not in self._said:
                self._said.add(text)
                log.warning("%s", text)


def unseen(model: values.Model, options: Mapping[str, Any], latent: Mapping[str, Any]) -> Iterator[str]:
    """What of a condition's options a model does not look at, in sentences.

    Nothing is known of a plugin's own network, nor of one that a plugin changed.
    """
    config = getattr(model.part.module, "config", None)
    shown, cells = getattr(config, "in_channels", None), model.latent_format.channels
    if not isinstance(shown, int) or model.guest is not None:
        return
    name, further = model.part.name, shown - cells
    if options.get("unclip_conditioning") and getattr(config, "vector", None) not in SEEING:
        yield (
            f"what CLIP vision saw (unCLIPConditioning) has no effect, because {name} reads no pictures; use an unCLIP "
            "checkpoint, SDXL, or an IP-Adapter"
        )
    if options.get("concat_image") is not None and further != COLOURS:
        yield f"the picture to make larger has no effect, because {name} is no x4 upscaler; use one"
    picture, mask = options.get("concat_latent_image") is not None, options.get("concat_mask") is not None
    is_masked = latent.get("noise_mask") is not None
    if picture and not mask and further not in (cells, cells + 1):
        yield (
            f"the picture to edit has no effect, because {name} is shown none ({shown} channels); use an "
            f"InstructPix2Pix or CosXL edit checkpoint ({2 * cells} channels)"
        )
    if picture and not mask and further == cells + 1 and not is_masked:
        yield (
            f"the picture to edit has no effect, because {name} is an inpainting model and looks at it through a mask "
            "only; use InpaintModelConditioning"
        )
    if mask and not is_masked and further in (0, COLOURS):
        yield (
            f"the picture and mask to inpaint have no effect, because {name} is no inpainting model ({shown} channels) "
            f"and the latent has no mask; use an inpainting checkpoint ({2 * cells + 1} channels), or noise_mask"
        )
    if mask and not is_masked and further == cells:
        yield (
            f"the mask to inpaint has no effect, because {name} edits whole pictures and the latent has no mask; set "
            "noise_mask, or use InstructPixToPixConditioning"
        )


def _options(side: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    # What is no conditioning at all is for others to complain of.
    for entry in side if isinstance(side, list | tuple) else ():
        if isinstance(entry, list | tuple) and len(entry) > 1 and isinstance(entry[1], Mapping):
            yield entry[1]
