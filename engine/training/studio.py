"""Draws prompts with the finished file, through the same loader, samplers and decoder that users have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.load import Checkpoint, Loader
from engine.conditioning import Condition
from engine.errors import TrainingError
from engine.sampling import noise, schedules
from engine.sampling.sample import sample
from engine.values import Clip, Vae


@dataclass(frozen=True)
class Brush:
    """How pictures are drawn; the card's numbers hold for these settings."""

    sampler: str = "dpmpp_2m"
    schedule: str = "karras"
    steps: int = 20
    cfg: float = 4.0
    side: int = 128


def draw(path: Path, prompts: Sequence[str], seeds: Sequence[int], brush: Brush = Brush()) -> Iterator[Tensor]:
    """One picture for each prompt and seed, as they become ready.

    Shapes: [3, side, side]. Units: 0 … 1.
    Raises: CheckpointError; TrainingError when the file has no text encoder or autoencoder.
    """
    checkpoint = Loader().checkpoint(path)
    clip, vae = parts(checkpoint, path)
    model = checkpoint.model
    empty = Condition(clip.encode("")[0])
    levels = schedules.sigmas(brush.schedule, model.prediction.table, brush.steps, sampler=brush.sampler)
    blank = torch.zeros(1, 4, brush.side // 8, brush.side // 8)
    with model.ready() as network:
        for prompt, seed in zip(prompts, seeds, strict=True):
            latent = sample(
                network,
                model.prediction,
                model.latent_format,
                positive=[Condition(clip.encode(prompt)[0])],
                negative=[empty],
                cfg=brush.cfg,
                latent=blank,
                noise=noise.initial(blank, seed),
                sampler=brush.sampler,
                sigmas=levels,
                seed=seed,
            )
            yield vae.decode(latent)[0].movedim(-1, 0)


def parts(checkpoint: Checkpoint, path: Path) -> tuple[Clip, Vae]:
    """The text encoder and the autoencoder of a checkpoint. Raises: TrainingError when one is missing."""
    if checkpoint.clip is None or checkpoint.vae is None:
        raise TrainingError(f"{path.name}: expected a text encoder and an autoencoder inside; export all parts")
    return checkpoint.clip, checkpoint.vae
