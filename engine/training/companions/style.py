"""The style LoRA: the shipped model's subjects in a style that it has never seen, Streamline's outlined stickers.

Some subjects of the style are kept back. They tell whether the LoRA has learned the style or only its pictures.
"""

import random
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from engine.training import report
from engine.training.captions import REDUCED_MIX, Picture, Placed, Scene
from engine.training.companions import companion, material
from engine.training.companions.companion import About, Findings, both_ways
from engine.training.companions.easel import Wish
from engine.training.companions.lora import BATCH, LoraCompanion
from engine.training.companions.low_rank import LowRank, of_transformers_and_blocks
from engine.training.companions.material import Samples
from engine.training.companions.parent import Parent
from engine.training.dataset import Icons
from engine.training.iconsets import icon_set
from engine.training.judge import features
from engine.training.loop import Draw, Losses, Phase
from engine.training.objective import noise_error
from engine.training.vocabulary import reduced_concepts

STYLE = "streamline"
KNOWN = ("fluent3d", "fluentflat")
ABOUT = About(
    "style",
    Path("models/loras/latentwire_icons_sticker.safetensors"),
    steps=2_500,
    licences=("Streamline Emojis, Streamline (Webalys), CC-BY-4.0, rendered and cropped",),
)
SEED = 4
CAPTION_DROPOUT = 0.1
KEPT_BACK = 0.2  # of the style's subjects


class Style(LoraCompanion):
    """Its training and its judge. It changes transformers and residual blocks: a style is in both."""

    about, scenes = ABOUT, 1_000

    def changes(self, module: str) -> bool:
        """Whether it changes this layer of the UNet."""
        return of_transformers_and_blocks(module)

    def learned(self, count: int) -> tuple[list[Scene], Tensor]:
        """The style's drawings of everything but the subjects that are kept back."""
        everything = self.shelf.icons((STYLE,))
        others = everything.only(set(everything.subjects) - set(kept_back(everything)), (STYLE,))
        icons, catalogue = material.everyday(others, (STYLE,))
        scenes = material.scenes(catalogue, REDUCED_MIX, count, SEED, moves=False)
        return scenes, material.pixels(scenes, icons)

    def step(self, parent: Parent, samples: Samples, phase: Phase) -> Draw:
        """What one step of the training does, with what it learns from."""
        return step(parent, samples, phase)

    def judge(self, path: Path, folder: Path) -> Findings:
        """How near drawings come to the real ones in the style, with the LoRA and without it.

        Of subjects that were kept back, and of as many that were learned. "Is in style": of the subject's real drawings
        in the three styles, the new one is the nearest.
        """
        real = self.shelf.icons((STYLE, *KNOWN))
        has = [s for s in everyday(real) if all((style, s) in _cells(real) for style in KNOWN)]
        held = [s for s in kept_back(real) if s in has]
        learned = sorted(random.Random(SEED).sample([s for s in has if s not in held], len(held)))
        found: Findings = {"pictures": len(held)}
        for group, subjects in {"kept_back": held, "learned": learned}.items():
            drawings = {style: _real(real, style, subjects) for style in (STYLE, *KNOWN)}
            wishes = [Wish(prompt(subject), seed) for seed, subject in enumerate(subjects)]
            ways = dict(zip(("without", "with"), both_ways(self.shelf.parent, wishes, lora=path), strict=True))
            for way, drawn in ways.items():
                seen = features(drawn)
                likeness = torch.stack([(seen * features(each)).sum(dim=1) for each in drawings.values()])
                found[f"{group}_{way}_is_in_style"] = (likeness.argmax(dim=0) == 0).float().mean().item()
                found[f"{group}_{way}_distance"] = (1 - likeness[0]).mean().item()
            labels = [label for s in subjects for label in ("real", f"without: {prompt(s)}", "with")]
            sheet = companion.in_rows(drawings[STYLE], *ways.values())
            report.sheet(sheet, labels, folder / f"style_{group}.png", columns=9)
        return found


def step(parent: Parent, samples: Samples, phase: Phase) -> Draw:
    """One step: find the noise over a picture of the new style."""
    network, device = cast(LowRank, phase.networks["lora"]), phase.device
    batch = min(BATCH, len(samples.latents))

    def draw(generator: torch.Generator) -> Losses:
        drawn = samples.draw(batch, generator, CAPTION_DROPOUT)
        noisy, times, context = (each.to(device) for each in (drawn.noisy, drawn.times, drawn.context))
        error = noise_error(network.answer(parent.unet, noisy, times, context), drawn.noise.to(device))
        return {"loss": (drawn.weights.to(device) * error).mean(), "eps_mse": error.mean()}

    return draw


def kept_back(icons: Icons) -> list[str]:
    """The everyday subjects of the style that the LoRA is never shown; the same ones every time."""
    has = everyday(icons)
    return sorted(random.Random(SEED).sample(has, max(1, round(KEPT_BACK * len(has)))))


def everyday(icons: Icons) -> list[str]:
    """The subjects of the style that the shipped model knows."""
    known = {concept.subject for concept in reduced_concepts()}
    return sorted({s for style, s in _cells(icons) if style == STYLE and s in known})


def prompt(subject: str) -> str:
    """What a person would type for it."""
    name = next(concept.names[0] for concept in reduced_concepts() if concept.subject == subject)
    return f"{name}, {icon_set(STYLE).phrases[0]}"


def _cells(icons: Icons) -> set[tuple[str, str]]:
    return set(zip(icons.styles, icons.subjects, strict=True))


def _real(icons: Icons, style: str, subjects: list[str]) -> Tensor:
    numbers = {cell: number for number, cell in enumerate(zip(icons.styles, icons.subjects, strict=True))}
    scenes = [Scene("", Picture((Placed(numbers[style, subject]),))) for subject in subjects]
    return material.pixels(scenes, icons) / 2 + 0.5
