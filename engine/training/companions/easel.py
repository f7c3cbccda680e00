"""Draws with companions through the loaders and samplers that users have; every judge looks at these pictures."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.adapters import lora as loras
from engine.checkpoints.load import Loader
from engine.conditioning import Condition, ControlHint
from engine.sampling import noise, schedules
from engine.sampling.sample import sample
from engine.training.studio import Brush, parts

BRUSH = Brush()
"""As the shipped model's card draws."""


@dataclass(frozen=True, eq=False)
class Wish:
    """One picture to draw.

    Shapes: hint [3, H, W] and picture [3, H, W], 0 … 1; hole [h, w] in latent cells, 1 = draw anew.
    """

    prompt: str
    seed: int
    hint: Tensor | None = None
    picture: Tensor | None = None
    hole: Tensor | None = None
    denoise: float = 1.0


class Easel:
    """A checkpoint, and perhaps a LoRA or a ControlNet beside it."""

    def __init__(
        self, path: Path, *, lora: Path | None = None, control: Path | None = None, brush: Brush | None = None
    ) -> None:
        loader = Loader()
        checkpoint = loader.checkpoint(path)
        self.clip, self.vae = parts(checkpoint, path)
        self.model, self.brush = checkpoint.model, brush or BRUSH
        if lora is not None:
            self.model, _ = loras.apply(self.model, None, loader.lora(lora), 1.0, 0.0)
        self.control = None if control is None else loader.controlnet(control)

    def draw(self, wish: Wish) -> Tensor:
        """The picture. Returns: [3, H, W], 0 … 1."""
        brush, model = self.brush, self.model
        hints: tuple[ControlHint, ...] = ()
        if self.control is not None and wish.hint is not None:
            hints = (ControlHint(self.control, wish.hint[None]),)
        latent = torch.zeros(1, 4, brush.side // 8, brush.side // 8)
        if wish.picture is not None:
            latent = self.vae.encode(wish.picture.movedim(0, -1)[None])
        positive, negative = (Condition(self.clip.encode(text)[0], control=hints) for text in (wish.prompt, ""))
        with model.ready() as network:
            drawn = sample(
                network,
                model.prediction,
                model.latent_format,
                positive=[positive],
                negative=[negative],
                cfg=brush.cfg,
                latent=latent,
                noise=noise.initial(latent, wish.seed),
                sampler=brush.sampler,
                sigmas=schedules.sigmas(
                    brush.schedule, model.prediction.table, brush.steps, wish.denoise, sampler=brush.sampler
                ),
                seed=wish.seed,
                noise_mask=None if wish.hole is None else wish.hole[None, None].float(),
            )
        return self.vae.decode(drawn)[0].movedim(-1, 0)
