"""Classifier-free guidance: what the model sees with the text, pushed away from what it sees without.

All conditions of both signs are asked about together where their shapes allow (Ho and Salimans 2022, arXiv 2207.12598).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from engine.conditioning import Condition, ControlHint, Grounding
from engine.errors import SamplingError
from engine.models.control import ControlResiduals
from engine.sampling.batches import Chunks, can_repeat, stacked_tokens
from engine.sampling.controls import Controls
from engine.sampling.fitting import Fitted, fit
from engine.sampling.hooks import (
    NEGATIVE,
    POSITIVE,
    Answers,
    Hooks,
    Network,
    Patches,
    Rule,
    Side,
    is_one,
    joined_patches,
)
from engine.sampling.prediction import Prediction
from engine.sampling.rows import told as rows_told
from engine.sampling.vectors import Vectors
from engine.shapes import repeated_to_batch

log = logging.getLogger(__name__)

__all__ = ["NEGATIVE", "POSITIVE", "Answers", "Guide", "Hooks", "Network", "Rule"]


@dataclass(frozen=True, eq=False)
class Question:
    """A condition at this noise level: the cut-out it is about, and what its answer counts there."""

    sign: int
    fitted: Fitted
    x: Tensor
    weight: Tensor
    tokens: Tensor
    vector: Tensor | None
    concat: Tensor | None
    hints: tuple[ControlHint, ...]
    told: Tensor | None

    def goes_with(self, others: Sequence["Question"], may_repeat: bool) -> bool:
        """Whether it can be asked in one batch with these."""
        first = others[0]
        lengths = {each.tokens.shape[1] for each in (*others, self)}
        return (
            self.x.shape == first.x.shape
            and self.hints == first.hints
            and self.fitted.grounding is first.fitted.grounding
            and self.fitted.condition.hooks == first.fitted.condition.hooks
            and self.tokens.shape[2] == first.tokens.shape[2]
            and (len(lengths) == 1 or (may_repeat and can_repeat(lengths)))
            and _shape(self.concat) == _shape(first.concat)
            and _shape(self.vector) == _shape(first.vector)
            and _shape(self.told) == _shape(first.told)
        )


class Guide:
    """A network under guidance: from a noisy latent to the clean one the conditions ask for.

    `sides` are the fitted conditions: positive, negative, and as many more as `rule` knows what to do with; without a
    rule the first is pushed away from the second by `cfg`. `concat(fitted)` gives the further channels of the whole
    latent, and `vectors` what is told besides the text, for networks that have them. `dtype` is what the network
    computes in.
    """

    def __init__(
        self,
        network: Network,
        prediction: Prediction,
        sides: Sequence[Sequence[Fitted]],
        cfg: float,
        *,
        rule: Rule | None = None,
        concat: Callable[[Fitted], Tensor | None] = lambda fitted: None,
        vectors: Vectors | None = None,
        chunks: Chunks | None = None,
        hooks: Hooks | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.prediction, self.sides, self.cfg = prediction, sides, cfg
        self.rule, self.concat, self.hooks, self.dtype = rule, concat, hooks or Hooks(), dtype
        self.network = network if self.hooks.network is None else self.hooks.network(network)
        self.vectors = vectors
        self.chunks = chunks or Chunks(2**31)
        self.controls = Controls(network)
        self._grounded: dict[tuple[int, ...], tuple[Grounding, Patches]] = {}
        self._fitted: dict[tuple[int, ...], tuple[Sequence[Condition], Sequence[Fitted]]] = {}
        self._size: tuple[int, ...] | None = None
        if rule is not None and self.hooks.before:
            log.warning(
                "what APG, TCFG, CFGZeroStar, FreSca, RenormCFG's cfg_trunc or LatentApplyOperationCFG do to the "
                "model's guidance has no effect with this guider, which has a formula of its own; take CFGGuider"
            )

    def both(self, x: Tensor, sigma: Tensor, needs_negative: bool = False) -> tuple[Tensor, Tensor]:
        """The guided clean latent, and the unconditional one (zeros where it is not needed).

        Shapes: x [B, C, h, w]; sigma a scalar.
        """
        self._check_size(x)
        always_both = needs_negative or self.hooks.always_both
        if self.rule is not None:
            wanted = self.rule.asks(always_both, self.hooks.look_at_answers)
            return self.rule.guided(self._look(x, sigma, wanted), self.hooks)
        skips = is_one(self.cfg) and not always_both
        answers = self._look(x, sigma, (POSITIVE,) if skips else (POSITIVE, NEGATIVE))
        for before in self.hooks.before:
            answers = before(answers)
        if skips and self.hooks.combine is None:
            return self.hooks.finished(answers, answers.positive), answers.negative
        return self.hooks.pushed(answers), answers.negative

    def ask(self, side: Side, sign: int, x: Tensor, sigma: Tensor, patches: Patches | None = None) -> Tensor:
        """What the network sees for one side alone; `patches` join the model's own for this question.

        `sign` is what patches are told the rows are of. Shapes: as `both`.
        """
        fitted = self._side(side) if isinstance(side, int) else self._fitted_to(side, x)
        (answer,) = self._answers(x, sigma, [(sign, fitted)], patches)
        return answer

    def _check_size(self, x: Tensor) -> None:
        """Raises: SamplingError, where a latent of another size meets what was fitted to it as it was at first."""
        size = tuple(x.shape[-2:])
        self._size = self._size or size
        if size == self._size:
            return
        for fitted in (fitted for side in self.sides for fitted in side):
            if fitted.box is not None or fitted.mask is not None or self.concat(fitted) is not None:
                before, now = ("×".join(map(str, each)) for each in (self._size, size))
                raise SamplingError(
                    f"the latent changed its size on its way, from {before} to {now} cells, which conditionings with "
                    "areas or masks, and models that are shown a picture, cannot follow; take KSamplerSelect's lcm "
                    "instead of SamplerLCMUpscale, or plain conditionings"
                )

    def _look(self, x: Tensor, sigma: Tensor, wanted: Sequence[int]) -> Answers:
        """All sides' answers, zeros for those that are not wanted."""
        found = dict(zip(wanted, self._answers(x, sigma, [(side, self.sides[side]) for side in wanted]), strict=True))
        positive, negative, *others = (
            found[side] if side in found else torch.zeros_like(x) for side in range(max(2, len(self.sides)))
        )
        return Answers(x, sigma, positive, negative, self.cfg, tuple(others), self.ask)

    def _side(self, place: int) -> Sequence[Fitted]:
        fitted = self.sides[place] if place < len(self.sides) else ()
        if not fitted:
            raise SamplingError(
                f"something asked about side {place} of the guidance (0 positive, 1 negative), which has no conditions "
                "here; a guider by one side alone has no negative one"
            )
        return fitted

    def _fitted_to(self, conditions: Sequence[Condition], x: Tensor) -> Sequence[Fitted]:
        key = (id(conditions), *x.shape[-2:])
        if key not in self._fitted:
            # The conditions are kept beside what was made of them, so that their number stays theirs.
            fitted, _ = fit(conditions, (), (x.shape[-2], x.shape[-1]), self.prediction.table)
            self._fitted[key] = (conditions, fitted)
        return self._fitted[key][1]

    def _answers(
        self,
        x: Tensor,
        sigma: Tensor,
        sides: Sequence[tuple[int, Sequence[Fitted]]],
        patches: Patches | None = None,
    ) -> list[Tensor]:
        """What is seen for each of the sides, which come with their signs."""
        sums = {sign: torch.zeros_like(x) for sign, _ in sides}
        weights = {sign: torch.zeros_like(x[:, :1]) for sign, _ in sides}
        for group in self._groups(x, sigma, sides):
            answers = self._asked(group, sigma, patches).chunk(len(group))
            for question, answer in zip(group, answers, strict=True):
                box = question.fitted.box
                _part(sums[question.sign], box).add_(answer * question.weight)
                _part(weights[question.sign], box).add_(question.weight)
        # The tiny number keeps cells that nobody speaks for at 0, not at 0 / 0.
        return [sums[sign] / (weights[sign] + 1e-37) for sign, _ in sides]

    def _groups(self, x: Tensor, sigma: Tensor, sides: Sequence[tuple[int, Sequence[Fitted]]]) -> list[list[Question]]:
        level = float(sigma)
        # Diffusion transformers place their tokens, so a repeated text is another text to them.
        may_repeat = not self.prediction.table.flow
        here = [(sign, fitted) for sign, side in sides for fitted in side if fitted.span.holds(level)]
        groups: list[list[Question]] = []
        for question in _with_defaults([self._question(sign, fitted, x, level) for sign, fitted in here], x):
            group = next((group for group in groups if question.goes_with(group, may_repeat)), None)
            if group is None:
                groups.append([question])
            else:
                group.append(question)
        # Those with the same hooks one after the other, so that the network is dressed for them once.
        order = list(dict.fromkeys(group[0].fitted.condition.hooks for group in groups))
        return sorted(groups, key=lambda group: order.index(group[0].fitted.condition.hooks))

    def _question(self, sign: int, fitted: Fitted, x: Tensor, level: float) -> Question:
        concat, vector, told = self.concat(fitted), fitted.condition.vector, fitted.condition.control_tokens
        if self.vectors is not None:
            vector = self.vectors(fitted.condition, sign, (x.shape[-2], x.shape[-1]))
        return Question(
            sign,
            fitted,
            _part(x, fitted.box),
            fitted.weight(x),
            repeated_to_batch(fitted.condition.tokens.to(x.device, self.dtype), len(x)),
            None if vector is None else repeated_to_batch(vector.to(x.device, self.dtype), len(x)),
            None if concat is None else _part(concat, fitted.box),
            tuple(hint for hint, span in fitted.hints if span.holds(level)),
            None if told is None else repeated_to_batch(told.to(x.device, self.dtype), len(x)),
        )

    def _asked(self, group: Sequence[Question], sigma: Tensor, patches: Patches | None = None) -> Tensor:
        """The clean latents of a group of questions, one below the other."""
        x = torch.cat([question.x for question in group])
        scaled = self.prediction.scaled_input(x, sigma).to(self.dtype)
        concat = [question.concat for question in group if question.concat is not None]
        vectors = [question.vector for question in group if question.vector is not None]
        told = [question.told for question in group if question.told is not None]
        rows = _Rows(
            scaled,
            torch.cat(concat).to(self.dtype) if concat else None,
            sigma.to(x.device).expand(len(x)),
            self.prediction.timestep(sigma).to(x.device).expand(len(x)),
            stacked_tokens([question.tokens for question in group]),
            torch.cat(vectors) if vectors else None,
            group[0].hints,
            torch.cat(told) if told else None,
            [place for question in group for place in range(len(question.x))],
            [question.sign for question in group for _ in question.x],
            self._shown(
                group[0].fitted.grounding,
                x,
                joined_patches(self.hooks.patches, patches) if patches else self.hooks.patches,
            ),
        )
        if self.hooks.dress is not None:
            self.hooks.dress(group[0].fitted.condition.hooks, sigma)
        answer = self.chunks.run(lambda part: self._ask_network(rows, part), len(x), x.device)
        return self.prediction.denoised(answer, x, sigma)

    def _shown(self, grounding: Grounding | None, x: Tensor, patches: Patches) -> Patches:
        """The patches, and what shows the network which phrases are where in a latent of x's size."""
        if grounding is None:
            return patches
        key = (id(grounding), *x.shape[-2:])
        if key not in self._grounded:
            patch = grounding.net.shown(grounding.phrases, (x.shape[-2], x.shape[-1]))
            # The grounding is kept beside its patch, so that its number stays its own.
            self._grounded[key] = (grounding, {"patches": {"middle_patch": [patch]}})
        return joined_patches(patches, self._grounded[key][1])

    def _ask_network(self, rows: "_Rows", part: slice) -> Tensor:
        if self.hooks.check is not None:
            self.hooks.check()
        vector = None if rows.vector is None else rows.vector[part]
        given: dict[str, Any] = {
            "x": rows.shown(part),
            "timesteps": rows.timesteps[part],
            "context": rows.context[part],
            "y": vector,
            "hints": rows.hints,
        }

        def asked(*, hints: Sequence[ControlHint], **others: Any) -> Tensor:
            return self._call(control=self._control(hints, rows, part, vector), **others)

        if rows.patches:
            told = rows_told(rows.signs[part], rows.places[part])
            given["patches"] = {**rows.patches, "sigmas": rows.sigmas[part], **told}
        if self.hooks.around is not None:
            return self.hooks.around(asked, given, rows.signs[part]).float()
        return asked(**given).float()

    def _call(self, *, x: Tensor, timesteps: Tensor, context: Tensor, **others: Any) -> Tensor:
        if self.hooks.check is not None:
            others["cancelled"] = self.hooks.check
        return self.network(x, timesteps, context, **others)

    def _control(
        self, hints: Sequence[ControlHint], rows: "_Rows", part: slice, vector: Tensor | None
    ) -> ControlResiduals | None:
        context = rows.context if rows.told is None else rows.told
        return self.controls.asked(hints, rows.places[part], rows.x[part], rows.timesteps[part], context[part], vector)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Everything a group is asked, row by row."""

    x: Tensor
    concat: Tensor | None
    sigmas: Tensor
    timesteps: Tensor
    context: Tensor
    vector: Tensor | None
    hints: tuple[ControlHint, ...]
    told: Tensor | None
    places: Sequence[int]
    signs: Sequence[int]
    patches: Patches

    def shown(self, part: slice) -> Tensor:
        """What the network sees: the noisy latent, and the further channels where it has them."""
        if self.concat is None:
            return self.x[part]
        return torch.cat([self.x[part], self.concat[part]], dim=1)


def _with_defaults(questions: Sequence[Question], x: Tensor) -> list[Question]:
    """The questions, the default ones counting only where others of their sign leave something, else not at all.

    Source: node_behaviour.md 1.0, `default`.
    """
    result = [question for question in questions if not question.fitted.condition.is_default]
    taken: dict[int, Tensor] = {}
    for question in result:
        here = taken.setdefault(question.sign, torch.zeros_like(x[:, :1]))
        _part(here, question.fitted.box).add_(question.weight)
    for question in questions:
        if question.fitted.condition.is_default:
            left = (1.0 - taken.get(question.sign, torch.zeros_like(x[:, :1]))).clamp(min=0)
            if bool((left > 0).any()):
                result.append(replace(question, weight=_part(left, question.fitted.box)))
    return result


def _part(x: Tensor, box: Any) -> Tensor:
    return x if box is None else box.cut(x)


def _shape(x: Tensor | None) -> tuple[int, ...] | None:
    return None if x is None else tuple(x.shape[1:])
