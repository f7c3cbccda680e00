"""Strengths by schedule: keyframes of hooks, and where a run stands among them. Source: node_behaviour.md 11."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class InterpolationMethod:
    """How strengths go from one to another."""

    LINEAR = "linear"
    EASE_IN = "ease_in"
    EASE_OUT = "ease_out"
    EASE_IN_OUT = "ease_in_out"

    _LIST = [LINEAR, EASE_IN, EASE_OUT, EASE_IN_OUT]

    @classmethod
    def get_weights(cls, num_from: float, num_to: float, length: int, method: str, reverse: bool = False) -> Tensor:
        """That many strengths from one to the other."""
        shares = torch.linspace(0, 1, length, dtype=torch.float64)
        shares = {
            cls.LINEAR: shares,
            cls.EASE_IN: shares**2,
            cls.EASE_OUT: 1 - (1 - shares) ** 2,
            cls.EASE_IN_OUT: (1 - (shares * torch.pi).cos()) / 2,
        }[method]
        weights = num_from + (num_to - num_from) * shares
        return weights.flip(0) if reverse else weights


class HookKeyframe:
    """From a share of the run on, this strength; for at least so many steps."""

    def __init__(self, strength: float, start_percent: float = 0.0, guarantee_steps: int = 1) -> None:
        self.strength = strength
        self.start_percent = float(start_percent)
        self.start_t = 999999999.9
        self.guarantee_steps = guarantee_steps

    def get_effective_guarantee_steps(self, max_sigma: Any) -> int:
        """Its steps; none for one that begins before the run does."""
        return 0 if self.start_t > float(max_sigma) else self.guarantee_steps

    def clone(self) -> "HookKeyframe":
        """Another like it."""
        made = HookKeyframe(self.strength, self.start_percent, self.guarantee_steps)
        made.start_t = self.start_t
        return made


class HookKeyframeGroup:
    """Keyframes in the order they begin, and where a run stands among them."""

    def __init__(self) -> None:
        self.keyframes: list[HookKeyframe] = []
        self.reset()

    def reset(self) -> None:
        """Back to the beginning of a run."""
        self._current_index, self._current_used_steps = 0, 0
        self._current_keyframe = self.keyframes[0] if self.keyframes else None
        self._curr_t: float = -1.0

    @property
    def strength(self) -> float:
        """The strength now; 1 without keyframes."""
        return 1.0 if self._current_keyframe is None else self._current_keyframe.strength

    def add(self, keyframe: HookKeyframe) -> None:
        """One more; those that begin together keep their order."""
        self.keyframes = sorted([*self.keyframes, keyframe], key=lambda each: each.start_percent)
        self.reset()

    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self.keyframes

    def has_index(self, index: int) -> bool:
        """Whether there are so many."""
        return 0 <= index < len(self.keyframes)

    def clone(self) -> "HookKeyframeGroup":
        """Another with the same keyframes, at the beginning of a run."""
        made = HookKeyframeGroup()
        made.keyframes = [each.clone() for each in self.keyframes]
        made.reset()
        return made

    def initialize_timesteps(self, model: Any) -> None:
        """Says for this model at which noise level each begins."""
        for keyframe in self.keyframes:
            keyframe.start_t = float(model.model_sampling.percent_to_sigma(keyframe.start_percent))

    def prepare_current_keyframe(self, curr_t: Any, transformer_options: Mapping[str, Any] | None = None) -> bool:
        """Moves on to where this noise level is. Returns: whether the strength is another now."""
        level = float(curr_t)
        if self.is_empty() or level == self._curr_t:
            return False
        before = self._current_keyframe
        schedule = (transformer_options or {}).get("sample_sigmas")
        highest = level if schedule is None else float(schedule[0])
        assert before is not None
        if self._current_used_steps >= before.get_effective_guarantee_steps(highest):
            for index in range(self._current_index + 1, len(self.keyframes)):
                following = self.keyframes[index]
                if following.start_t < level:
                    break
                self._current_keyframe, self._current_index, self._current_used_steps = following, index, 0
                if following.get_effective_guarantee_steps(highest) > 0:
                    break
        self._current_used_steps += 1
        self._curr_t = level
        return before is not self._current_keyframe
