"""What hints ask for in one run: their pictures fitted once, their networks begun once, their answers added up.

Source: node_behaviour.md C.1.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from engine.conditioning import ControlHint
from engine.devices import finite
from engine.devices.part import Part
from engine.errors import SamplingError
from engine.models.control import ControlResiduals
from engine.shapes import CELL, fitted_picture


class Controls:
    """The hints of one run, asked at every step. A hint's network may have, besides being called (ControlHint):

    `begun(denoiser)`, the network to ask in this run; `hint_size(height, width)`, the pixels of a hint for so many
    cells; `reads_hint_alone`, so that its answer holds for the whole run.
    """

    def __init__(self, denoiser: object) -> None:
        self.denoiser = denoiser
        self._begun: dict[int, tuple[object, Any]] = {}
        self._pictures: dict[tuple[int, int, int], tuple[ControlHint, Tensor]] = {}
        self._lasting: dict[tuple[int, int, int], ControlResiduals] = {}
        self._heard: set[int] = set()

    def asked(
        self,
        hints: Sequence[ControlHint],
        places: Sequence[int],
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        vector: Tensor | None,
    ) -> ControlResiduals | None:
        """What all hints ask for, together; None when there are none.

        `places` say of each row which latent of the batch it is about: several hints go to the latents in turn.

        Shapes: x [B, C, h, w], scaled as for the denoiser; timesteps [B]; context [B, T, D]; vector [B, V].
        """
        total: ControlResiduals | None = None
        for hint in hints:
            found = self._answer(hint, places, x, timesteps, context, vector).scaled(hint.strength)
            total = found if total is None else total.added(found)
        return total

    def _answer(
        self,
        hint: ControlHint,
        places: Sequence[int],
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        vector: Tensor | None,
    ) -> ControlResiduals:
        net = self._net(hint)
        pictures = self._fitted(hint, net, x)
        chosen = [place % len(pictures) for place in places]
        if not getattr(net, "reads_hint_alone", False):
            return self._checked(net, net(x, pictures[chosen], timesteps, context, vector))
        key = (id(hint), x.shape[-2], x.shape[-1])
        if key not in self._lasting:
            self._lasting[key] = self._checked(net, net(x, pictures))
        return self._lasting[key].rows(chosen)

    def _checked(self, net: Any, answer: ControlResiduals) -> ControlResiduals:
        """The answer, the first of each net once it is sure that it holds numbers. Raises: SamplingError."""
        if id(net) in self._heard:
            return answer
        self._heard.add(id(net))
        given = (*answer.input, answer.middle, *answer.encoder)
        if not all(bool(each.isfinite().all()) for each in given if each is not None):
            part = getattr(net, "part", None)
            name = getattr(part, "name", type(net).__name__)
            reason = "its weights are damaged, or half precision overflowed; try --force-fp32 or another file"
            if isinstance(part, Part):
                reason = finite.flaw(part) or finite.suspicion(part.place.dtype, "--force-fp32")
            raise SamplingError(f"{name} answered with {finite.NO_NUMBERS}: {reason}")
        return answer

    def _net(self, hint: ControlHint) -> Any:
        key = id(hint.net)
        if key not in self._begun:
            begin = getattr(hint.net, "begun", None)
            # The net is kept beside what was made of it, so that its number stays its own.
            self._begun[key] = (hint.net, hint.net if begin is None else begin(self.denoiser))
        return self._begun[key][1]

    def _fitted(self, hint: ControlHint, net: Any, like: Tensor) -> Tensor:
        """The hint's pictures at the size of what is looked at. Shapes: [b, C, H, W]."""
        height, width = like.shape[-2:]
        key = (id(hint), height, width)
        if key not in self._pictures:
            sized = getattr(net, "hint_size", None)
            size = (CELL * height, CELL * width) if sized is None else sized(height, width)
            self._pictures[key] = (hint, fitted_picture(hint.image.float(), size, "nearest-exact").to(like))
        return self._pictures[key][1]
