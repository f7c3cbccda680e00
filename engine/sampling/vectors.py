"""What a denoiser is told of the whole picture besides the text: its summary, its sizes, or what a picture showed.

Source: Podell et al. 2023, arXiv 2307.01952, section 2.2 (sizes); Ramesh et al. 2022, arXiv 2204.06125 (unCLIP);
He et al. 2024, arXiv 2409.18124 (Lotus, told which of its two tasks is asked for); node_behaviour 1.1, A.4 and F.3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from engine.conditioning import Condition, SeenPicture
from engine.errors import SamplingError
from engine.models.layers import timestep_embedding
from engine.sampling import small_pictures
from engine.sampling.betas import BetaSchedule
from engine.shapes import CELL

VectorKind = Literal["sdxl", "refiner", "unclip", "lotus", "noise_level"]

WAVES = 256  # Features that each size is told in.
LIKED, DISLIKED = 6.0, 2.5  # How beautiful pictures of either sign are, unless somebody says so.


@dataclass(frozen=True, eq=False)
class Vectors:
    """Makes the vector y of each condition, for networks that read one.

    `kind` is what they read; `width` how much of it. `seed` is the run's: unCLIP adds noise to what pictures showed.
    """

    kind: VectorKind
    width: int
    seed: int = 0
    _made: dict[tuple[int, int, tuple[int, int]], tuple[Condition, Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, network: object, seed: int) -> "Vectors | None":
        """For a network, by its configuration; None for one that reads nothing, or nobody knows what."""
        config = getattr(network, "config", None)
        kind, width = getattr(config, "vector", None), getattr(config, "class_width", None)
        known: dict[str | None, VectorKind] = {each: each for each in get_args(VectorKind)}
        return cls(known[kind], width, seed) if kind in known and isinstance(width, int) else None

    def __call__(self, condition: Condition, sign: int, size: tuple[int, int]) -> Tensor:
        """The vector for one condition.

        Units: size is the whole picture's height and width in latent cells; sign 0 is the positive side.
        Returns: [1, width], float32; the condition's own where it has one.
        Raises: SamplingError, for a condition of another family.
        """
        if condition.vector is not None:
            return condition.vector
        key = (id(condition), sign, size)
        if key not in self._made:
            # The condition is kept beside its vector, so that its number stays its own.
            self._made[key] = (condition, self._vector(condition, sign, size))
        return self._made[key][1]

    def _vector(self, condition: Condition, sign: int, size: tuple[int, int]) -> Tensor:
        if self.kind == "lotus":
            return torch.tensor([[math.sin(1), math.sin(0), math.cos(1), math.cos(0)]])
        if self.kind == "noise_level":
            return one_hot(torch.tensor([small_pictures.level(condition.image_noise)]), self.width).float()
        if self.kind == "unclip":
            return self._shown(condition.pictures, self.width // 2, condition.picture_merge)
        numbers = _sizes(condition, size) if self.kind == "sdxl" else _liking(condition, sign, size)
        told = timestep_embedding(torch.tensor(numbers), WAVES).reshape(1, -1)
        summary = self._summary(condition, self.width - told.shape[1])
        return torch.cat([summary, told], dim=1)

    def _summary(self, condition: Condition, width: int) -> Tensor:
        """What sums up the text, or the pictures in its place."""
        if condition.pictures:
            return self._shown(condition.pictures, width, condition.picture_merge)[:, :width]
        pooled = condition.pooled
        if pooled is None or pooled.shape[-1] != width:
            came = "there is none" if pooled is None else f"this one has {pooled.shape[-1]}"
            raise SamplingError(
                f"this model reads a summary of the text of {width} features, but {came}; encode the prompt with the "
                "text encoder of the same model family"
            )
        return pooled.float().reshape(-1, width)[:1].cpu()

    def _shown(self, pictures: Sequence[SeenPicture], width: int, merge: float) -> Tensor:
        """What pictures showed, with noise on it, and how much noise. Returns: [1, 2 · width]."""
        if not pictures:
            return torch.zeros(1, 2 * width)
        told = []
        for picture in pictures:
            for embedding in picture.embeddings.float().cpu():
                _check(embedding, width)
                told.append(_noised(embedding[None], picture.noise_augmentation, self.seed - 10) * picture.strength)
        if len(told) == 1:
            return told[0]
        # ComfyUI: what several pictures showed together is noised once more, each time with other noise.
        return _noised(torch.stack(told).sum(dim=0)[:, :width], merge, None)


def _check(embedding: Tensor, width: int) -> None:
    if embedding.shape != (width,):
        raise SamplingError(
            f"this model reads what a CLIP vision of {width} features saw, but this one has {list(embedding.shape)}; "
            "use the CLIP vision of the same checkpoint"
        )


def _noised(embedding: Tensor, amount: float, seed: int | None) -> Tensor:
    """An embedding with noise, and the level of noise behind it. Shapes: [1, D] → [1, 2·D]."""
    level = round((len(_alpha_bars()) - 1) * amount)
    alpha_bar = _alpha_bars()[level]
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    noise = torch.randn(embedding.shape, generator=generator)
    noisy = alpha_bar.sqrt() * embedding + (1 - alpha_bar).sqrt() * noise
    return torch.cat([noisy, timestep_embedding(torch.tensor([level]), embedding.shape[1])], dim=1)


@lru_cache(maxsize=1)
def _alpha_bars() -> Tensor:
    return BetaSchedule("cosine").alpha_bars().float()


def _sizes(condition: Condition, size: tuple[int, int]) -> list[float]:
    sizes = condition.sizes
    height = _given(sizes.height, CELL * size[0])
    width = _given(sizes.width, CELL * size[1])
    target = (_given(sizes.target_height, height), _given(sizes.target_width, width))
    return [height, width, sizes.crop_y, sizes.crop_x, *target]


def _liking(condition: Condition, sign: int, size: tuple[int, int]) -> list[float]:
    sizes = condition.sizes
    is_negative = bool(sign) if condition.prompt_type is None else condition.prompt_type == "negative"
    score = _given(sizes.aesthetic_score, DISLIKED if is_negative else LIKED)
    return [*_sizes(condition, size)[:4], score]


def _given(value: float | None, otherwise: float) -> float:
    return float(otherwise if value is None else value)
