"""The KSampler nodes' service where plugins may have a say: the engine draws plain models, ComfyUI's way the others.

ComfyUI's way goes through nodes.common_ksampler, comfy.sample.sample and everything behind them, so that wrappers,
hooks, replaced functions, and samplers of plugins are all asked. Both ways give the same numbers.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from compat import crossing, originals
from compat import host as hosts
from compat.machine.options import live
from engine import values
from engine.conditioning import ControlHint
from engine.graph.run import Run
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULERS
from engine.settings import Settings
from nodes import sampling
from nodes.convert import with_samples

log = logging.getLogger(__name__)

NOT_OURS = frozenset({"hooks", "default", "gligen", "clip_start_percent", "clip_end_percent", "model_conds"})
"""Options of a conditioning that only ComfyUI's way knows; nodes of plugins write them."""


class Drawing(sampling.Drawing):
    """Decides the way for each picture."""

    def __init__(self) -> None:
        super().__init__(Settings())

    def draw(
        self,
        model: values.Model,
        latent: dict[str, Any],
        guidance: sampling.Guidance,
        walk: sampling.Walk,
        run: Run,
    ) -> dict[str, Any]:
        """Walk a latent down the noise levels, telling the run of every step.

        Returns: the latent with new samples, float32; the same latent where there is nothing to do.
        Raises: SamplingError, Cancelled; with ComfyUI's way whatever a plugin's function raises.
        """
        if not hosts.is_installed():
            return super().draw(model, latent, guidance, walk, run)
        reasons = why_not_plain(model, guidance, walk)
        if not reasons:
            return sampling.Drawing(live(hosts.host().settings)).draw(model, latent, guidance, walk, run)
        log.debug("node %s is drawn in ComfyUI's way: %s", run.node_id, ", ".join(reasons))
        return as_plugins_know_it(model, latent, guidance, walk, run)


def why_not_plain(model: values.Model, guidance: sampling.Guidance, walk: sampling.Walk) -> list[str]:
    """What of a plugin's takes part in a drawing; nothing, when the engine can draw it by itself."""
    reasons = [] if _is_plain_guest(model.guest) else ["the model was changed"]
    sides = (guidance.positive, guidance.negative)
    if not all(_is_plain_conditioning(side) for side in sides):
        reasons.append("a conditioning holds more")
    if walk.sampler not in SAMPLERS:
        reasons.append(f"sampler {walk.sampler}")
    if walk.scheduler not in SCHEDULERS:
        reasons.append(f"schedule {walk.scheduler}")
    return [*reasons, *originals.replaced(walk.sampler, walk.scheduler)]


def _is_plain_guest(guest: object | None) -> bool:
    """Whether all that a plugin did to a model is known to the engine: nothing, or other weights."""
    if guest is None:
        return True
    from compat.crossings.model import is_plain  # here, because a guest is what brings ComfyUI's classes in

    return not getattr(guest, "object_patches", True) and is_plain(guest)  # type: ignore[arg-type]


def _is_plain_conditioning(conditioning: object) -> bool:
    # What is no conditioning at all is the engine's to complain of.
    entries = conditioning if isinstance(conditioning, Sequence) else ()
    options = [entry[1] for entry in entries if isinstance(entry, Sequence) and len(entry) == 2]
    return all(_is_plain(each) for each in options if isinstance(each, Mapping))


def _is_plain(options: Mapping[str, Any]) -> bool:
    hints = options.get("control") or ()
    ours = isinstance(hints, tuple) and all(
        isinstance(hint, ControlHint) and isinstance(hint.net, values.ControlNet) for hint in hints
    )
    return ours and not any(options.get(key) for key in NOT_OURS)


def as_plugins_know_it(
    model: values.Model, latent: dict[str, Any], guidance: sampling.Guidance, walk: sampling.Walk, run: Run
) -> dict[str, Any]:
    import nodes  # here, because compat adds common_ksampler to it from outside

    part = walk.part
    with hosts.host().node(run):
        (drawn,) = nodes.common_ksampler(  # type: ignore[attr-defined]
            crossing.enter(model),
            walk.seed,
            walk.steps,
            guidance.cfg,
            walk.sampler,
            walk.scheduler,
            crossing.enter(guidance.positive),
            crossing.enter(guidance.negative),
            latent,
            denoise=walk.denoise,
            disable_noise=not walk.adds_noise,
            start_step=None if part is None else part.start,
            last_step=None if part is None else part.end,
            force_full_denoise=part is not None and not part.keep_noise,
        )
    return with_samples(drawn, drawn["samples"].float())
