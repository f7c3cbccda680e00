"""Where others step into guidance: what they are shown (Answers), where (Hooks), and formulas of their own (Rule).

A hook may ask the network again at the same moment, about a changed latent or with its layers changed: `Answers.ask`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from torch import Tensor

from engine.conditioning import Condition
from engine.sampling.table import SigmaTable

POSITIVE, NEGATIVE = 0, 1

Network = Callable[..., Tensor]

Patches = Mapping[str, Any]
"""What goes to the network as it is (engine.models.patches): lists of functions, replacements, and notes for them."""

Side = int | Sequence[Condition]
"""Conditions by the place of their side (0 positive, 1 negative, further ones after those), or others altogether."""


class Asker(Protocol):
    """Asks the network about one side. `sign` is what patches are told the rows are of (`cond_or_uncond`)."""

    def __call__(self, side: Side, sign: int, x: Tensor, sigma: Tensor, patches: Patches | None) -> Tensor:
        """The clean latent, [B, C, h, w]."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What the model sees at one moment, for those who want to combine it their own way.

    `others` are the answers of sides beyond the two, in the order of the guider's. `places` says which of all sides
    count as the positive and the negative here. It may be asked more, while the moment lasts.

    Shapes: x and all answers [B, C, h, w], answers clean latents; negative is zeros where nobody asked.
    """

    x: Tensor
    sigma: Tensor
    positive: Tensor
    negative: Tensor
    cfg: float
    others: tuple[Tensor, ...] = ()
    asker: Asker | None = None
    places: tuple[int, int] = (POSITIVE, NEGATIVE)

    @property
    def sides(self) -> tuple[Tensor, ...]:
        """The answers of all sides."""
        return (self.positive, self.negative, *self.others)

    def ask(
        self, side: Side, *, x: Tensor | None = None, sigma: Tensor | None = None, patches: Patches | None = None
    ) -> Tensor:
        """What the model sees for one side: in another latent, at another noise level, with further `patches`.

        `patches` join those that the model has, for this question only. A hook that asks about the negative side should
        have the model say `always_both`, because at scale 1 some guiders have none. Conditions that are of no side are
        asked about as if they were of the negative.

        Shapes: x [B, C, h, w]; sigma a scalar. Returns: the clean latent, x's shape.
        """
        assert self.asker is not None, "these answers were made by hand; there is nobody to ask"
        here = self.x if x is None else x
        level = self.sigma if sigma is None else sigma
        if not isinstance(side, int):
            return self.asker(side, NEGATIVE, here, level, patches)
        place = self.places[side] if side < len(self.places) else side
        return self.asker(place, side, here, level, patches)


@dataclass(frozen=True, eq=False)
class Level:
    """A noise level of a run: which, of the list that the run walks down, and in what table.

    Shapes: sigma a scalar; sigmas [S + 1].
    """

    sigma: Tensor
    sigmas: Tensor
    table: SigmaTable


@dataclass(frozen=True)
class Hooks:
    """Where others may step into guidance. The defaults change nothing.

    `combine` replaces the guidance formula; `before` may change the answers, where no rule has a formula of its own,
    and `after` the guided latent. `around` gets the function that asks the network, its arguments, and for each row the
    sign it is of (0 positive); among the arguments are the ControlNets' `hints`, which that function asks first, or in
    ComfyUI's way what they answered (`control`). `network` makes of the network what is asked in its place, which must
    compute the same.
    `redraw_mask` gives the mask for a noise level. `patches` goes to the network as it is, with the noise level besides
    ("sigmas") and what engine/sampling/rows.py says of each row; `check` is called during long work and raises to stop.
    `always_both`: the negative side is asked about even at scale 1. `dress`
    gives the network the changes that conditions ask for (their `hooks`), before it is asked about them. `starts` are
    called when a run begins and `ends` when it is over, done or failed, for hooks that remember what they saw in it.
    """

    combine: Callable[[Answers], Tensor] | None = None
    before: Sequence[Callable[[Answers], Answers]] = ()
    after: Sequence[Callable[[Answers, Tensor], Tensor]] = ()
    around: Callable[[Network, Mapping[str, Any], Sequence[int]], Tensor] | None = None
    redraw_mask: Callable[[Level, Tensor], Tensor] | None = None
    patches: Patches = field(default_factory=dict)
    check: Callable[[], None] | None = None
    network: Callable[[Network], Network] | None = None
    always_both: bool = False
    dress: Callable[[object | None, Tensor], None] | None = None
    starts: Sequence[Callable[[], None]] = ()
    ends: Sequence[Callable[[], None]] = ()

    def joined(self, later: "Hooks") -> "Hooks":
        """These and then the later ones, whose formula and mask win; an `around` goes around that of these."""
        around = later.around
        if self.around is not None and later.around is not None:
            around = _nested(self.around, later.around)
        return Hooks(
            combine=later.combine or self.combine,
            before=(*self.before, *later.before),
            after=(*self.after, *later.after),
            around=around or self.around,
            redraw_mask=later.redraw_mask or self.redraw_mask,
            patches=joined_patches(self.patches, later.patches),
            check=later.check or self.check,
            network=later.network or self.network,
            always_both=self.always_both or later.always_both,
            dress=later.dress or self.dress,
            starts=(*self.starts, *later.starts),
            ends=(*self.ends, *later.ends),
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """A run, told of its start and its end."""
        try:
            for start in self.starts:
                start()
            yield
        finally:
            for end in self.ends:
                end()

    @property
    def look_at_answers(self) -> bool:
        """Whether they make something of the answers, so that it counts which sides were asked."""
        return self.combine is not None or bool(self.after)

    def pushed(self, answers: Answers) -> Tensor:
        """The guided latent: away from the negative (or as `combine` has it), and what `after` makes of that."""
        if self.combine is not None:
            guided = self.combine(answers)
        else:
            guided = answers.negative + answers.cfg * (answers.positive - answers.negative)
        return self.finished(answers, guided)

    def finished(self, answers: Answers, guided: Tensor) -> Tensor:
        """What `after` makes of a guided latent."""
        for after in self.after:
            guided = after(answers, guided)
        return guided


class Rule(Protocol):
    """A formula for more sides than two, or for fewer."""

    def asks(self, always_both: bool, is_hooked: bool) -> Sequence[int]:
        """The places of the sides that it needs; the answers of all others are zeros.

        `is_hooked`: there are hooks that look at the answers.
        """

    def guided(self, answers: Answers, hooks: Hooks) -> tuple[Tensor, Tensor]:
        """The guided latent and the unconditional one that goes with it. It decides which hooks are asked."""


def is_one(scale: float) -> bool:
    """Whether a scale of guidance changes nothing, so that what it pushes away from need not be asked about."""
    return math.isclose(scale, 1.0)


def joined_patches(first: Patches, later: Patches) -> dict[str, Any]:
    """Both, the later ones after or in the place of the first: lists grow, mappings join, the rest is replaced."""
    result = dict(first)
    for key, value in later.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            result[key] = joined_patches(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            result[key] = [*known, *value]
        else:
            result[key] = value
    return result


def seen_as(answers: Answers, positive: int, negative: int, cfg: float) -> Answers:
    """The same answers with other sides as the positive and the negative, for hooks that know but two."""
    sides = answers.sides
    return replace(answers, positive=sides[positive], negative=sides[negative], cfg=cfg, places=(positive, negative))


def _nested(inner: Callable[..., Tensor], outer: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def around(network: Network, given: Mapping[str, Any], signs: Sequence[int]) -> Tensor:
        def asked(**changed: Any) -> Tensor:
            return inner(network, changed, signs)

        return outer(asked, given, signs)

    return around
