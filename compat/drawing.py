"""The KSampler nodes' service where plugins may have a say: the engine draws plain models, ComfyUI's way the others.

ComfyUI's way goes through nodes.common_ksampler, comfy.sample.sample and everything behind them, so that wrappers,
hooks, replaced functions, and samplers of plugins are all asked. Both ways give the same numbers.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from compat import crossing, originals
from compat import host as hosts
from compat.machine.options import live
from engine import values
from engine.adapters.hooks import Hook, HookGroup
from engine.conditioning import ControlHint
from engine.graph.run import Run
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULERS
from engine.settings import Settings
from nodes import sampling
from nodes.convert import with_samples

log = logging.getLogger(__name__)

NOT_OURS = frozenset({"model_conds"})
"""Options of a conditioning that only ComfyUI's way knows; nodes of plugins write them."""

MADE_THERE = frozenset({"timestep_start", "timestep_end", "latent_image", "denoise_mask", "seed"})
"""Options that ComfyUI's way makes itself while it draws, and that count there where a plugin made them before."""


class Drawing(sampling.Drawing):
    """Decides the way for each picture."""

    def __init__(self) -> None:
        super().__init__(Settings())

    def levels(self, model: values.Model, scheduler: str, steps: int, denoise: float) -> Tensor:
        """The noise levels of a schedule, a plugin's own included. Raises: SamplingError; what its function raises."""
        if not hosts.is_installed() or (scheduler in SCHEDULERS and not originals.replaced("euler", scheduler)):
            return super().levels(model, scheduler, steps, denoise)
        from comfy_extras.nodes_custom_sampler import BasicScheduler

        made: Tensor = BasicScheduler.execute(crossing.enter(model), scheduler, steps, denoise)[0]
        return made

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
        if _is_plain_way(why_not_plain(model, guidance, walk), run):
            return self._engine().draw(model, latent, guidance, walk, run)
        self.unseen.tell(model, guidance.sides, latent, run)
        return as_plugins_know_it(model, latent, guidance, walk, run)

    def draw_custom(
        self,
        model: values.Model,
        latent: dict[str, Any],
        guidance: sampling.Guidance,
        course: sampling.Course,
        run: Run,
    ) -> sampling.Drawn:
        """Walk a latent down levels that another node chose. Returns and raises: as there and in `draw`."""
        if not hosts.is_installed():
            return super().draw_custom(model, latent, guidance, course, run)
        if _is_plain_way(why_not_plain_course(model, guidance, course), run):
            return self._engine().draw_custom(model, latent, guidance, course, run)
        self.unseen.tell(model, guidance.sides, latent, run)
        return custom_as_plugins_know_it(model, latent, guidance, course, run)

    def draw_guided(self, guider: Any, latent: dict[str, Any], course: sampling.Course, run: Run) -> sampling.Drawn:
        """The same by a guider, which may be a plugin's own. Returns and raises: as there and in `draw`."""
        if not hosts.is_installed():
            return super().draw_guided(guider, latent, course, run)
        ours = isinstance(guider, sampling.Guider)
        reasons = why_not_plain_course(guider.model, guider.guidance, course) if ours else ["a guider of a plugin's"]
        if _is_plain_way(reasons, run):
            return self._engine().draw_guided(guider, latent, course, run)
        if ours:
            self.unseen.tell(guider.model, guider.guidance.sides, latent, run)
        return guided_as_plugins_know_it(guider, latent, course, run)

    def _engine(self) -> sampling.Drawing:
        return sampling.Drawing(live(hosts.host().settings), self.unseen)


def _is_plain_way(reasons: Sequence[str], run: Run) -> bool:
    if reasons:
        log.debug("node %s is drawn in ComfyUI's way: %s", run.node_id, ", ".join(reasons))
    return not reasons


def why_not_plain(model: values.Model, guidance: sampling.Guidance, walk: sampling.Walk) -> list[str]:
    """What of a plugin's takes part in a drawing; nothing, when the engine can draw it by itself."""
    reasons = [*_changed(model, guidance), *_foreign_sampler(walk.sampler)]
    if walk.scheduler not in SCHEDULERS:
        reasons.append(f"schedule {walk.scheduler}")
    return [*reasons, *originals.replaced(walk.sampler, walk.scheduler)]


def why_not_plain_course(model: values.Model, guidance: sampling.Guidance, course: sampling.Course) -> list[str]:
    """The same for a course whose parts came from nodes. What is no sampler at all is the engine's to complain of."""
    sampler: Any = course.sampler
    if not isinstance(sampler, sampling.Sampler):
        theirs = callable(getattr(sampler, "sample", None))
        return [*_changed(model, guidance), *(["a sampler of a plugin's"] if theirs else [])]
    reasons = [*_changed(model, guidance), *_foreign_sampler(sampler.name)]
    return [*reasons, *originals.replaced(sampler.name, "")]


def _changed(model: values.Model, guidance: sampling.Guidance) -> list[str]:
    reasons = [] if _is_plain_guest(model.guest) else ["the model was changed"]
    if not all(_is_plain_conditioning(side) for side in guidance.sides.values()):
        reasons.append("a conditioning holds more")
    return reasons


def _foreign_sampler(name: str) -> list[str]:
    return [] if name in SAMPLERS else [f"sampler {name}"]


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
        isinstance(hint, ControlHint) and isinstance(hint.net, values.Control) for hint in hints
    )
    ours = ours and _is_our_gligen(options.get("gligen"))
    if any(options.get(key) for key in NOT_OURS) or not MADE_THERE.isdisjoint(options):
        return False
    return ours and _are_ours(options.get("hooks"))


def _is_our_gligen(given: Any) -> bool:
    return not given or (isinstance(given, list | tuple) and len(given) > 1 and isinstance(given[1], values.Gligen))


def _are_ours(hooks: object) -> bool:
    return not hooks or (isinstance(hooks, HookGroup) and all(isinstance(each, Hook) for each in hooks.hooks))


def as_plugins_know_it(
    model: values.Model, latent: dict[str, Any], guidance: sampling.Guidance, walk: sampling.Walk, run: Run
) -> dict[str, Any]:
    """As nodes.common_ksampler draws, where everything of a plugin's is asked. Returns and raises: as Drawing.draw."""
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


def custom_as_plugins_know_it(
    model: values.Model, latent: dict[str, Any], guidance: sampling.Guidance, course: sampling.Course, run: Run
) -> sampling.Drawn:
    """As ComfyUI's SamplerCustom draws. Returns and raises: as Drawing.draw_custom."""
    from comfy_extras.nodes_custom_sampler import SamplerCustom

    noise = course.noise
    silent = isinstance(noise, sampling.Noise) and noise.is_silent
    with hosts.host().node(run):
        made = SamplerCustom.execute(
            crossing.enter(model),
            not silent,
            noise.seed,
            guidance.cfg,
            crossing.enter(guidance.positive),
            crossing.enter(guidance.negative),
            crossing.enter(course.sampler),
            course.sigmas,
            latent,
        )
    return _drawn(*made)


def guided_as_plugins_know_it(guider: Any, latent: dict[str, Any], course: sampling.Course, run: Run) -> sampling.Drawn:
    """As ComfyUI's SamplerCustomAdvanced draws. Returns and raises: as Drawing.draw_guided."""
    from comfy_extras.nodes_custom_sampler import SamplerCustomAdvanced

    parts = (crossing.enter(course.noise), crossing.enter(guider), crossing.enter(course.sampler))
    with hosts.host().node(run):
        made = SamplerCustomAdvanced.execute(*parts, course.sigmas, latent)
    return _drawn(*made)


def _drawn(output: dict[str, Any], denoised: dict[str, Any]) -> sampling.Drawn:
    return sampling.Drawn(*(with_samples(each, each["samples"].float()) for each in (output, denoised)))
