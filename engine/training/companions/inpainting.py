"""The inpainting LoRA: it fills a hole in a picture so that it goes on from what is around.

A LoRA and not a UNet with nine channels: that would be a whole UNet, 21.6 MB of the 12 MB there are for all companions;
a LoRA of 0.5 MB works with the nodes that everybody inpaints with (VAE Encode for Inpainting, Set Latent Noise Mask).
What it learns is what those lack. There the denoiser sees noise over the true picture around the hole, and inside it
over something else: grey, or what it guessed itself some steps ago. So in training too the hole holds the noise over
grey or over another picture, and the answer that counts is the one that belongs there.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from engine.pictures.inpainting import greyed
from engine.sampling.betas import BetaSchedule
from engine.training import report
from engine.training.autoencoder import LATENT_SCALE
from engine.training.captions import REDUCED_MIX, Catalogue, Picture, Placed, Scene
from engine.training.companions import companion, material
from engine.training.companions.companion import About, Findings, both_ways
from engine.training.companions.easel import BRUSH, Wish
from engine.training.companions.lora import BATCH, LoraCompanion
from engine.training.companions.low_rank import LowRank, of_transformers
from engine.training.companions.material import Drawn, Samples
from engine.training.companions.parent import Parent
from engine.training.judge import Judge, Question, questions
from engine.training.loop import Draw, Losses, Phase

ABOUT = About(
    "inpainting", Path("models/loras/latentwire_icons_inpainting.safetensors"), steps=3_000, licences=companion.FLUENT
)
STYLES = ("fluent3d", "fluentflat")
SEED = 3
CAPTION_DROPOUT = 0.3
FOREIGN = 0.6  # of the holes begin as something else; the others as the base model was trained
EARLIEST = 200  # later than this a hole has its content, and cannot become another one
AROUND = 0.1  # how much the error outside the hole counts
JUDGED = 3  # every third prompt of the shipped model's judge


class Way(NamedTuple):
    """How the judge asks for a grey hole, as VAE Encode for Inpainting leaves it, to be filled."""

    denoise: float = 1.0
    has_words: bool = True
    cfg: float = BRUSH.cfg


WAYS = {"whole": Way(), "partly": Way(denoise=0.8), "gently": Way(cfg=1.0), "wordless": Way(has_words=False, cfg=1.0)}


class Inpainting(LoraCompanion):
    """Its training and its judge."""

    about, scenes = ABOUT, 2_000

    def changes(self, module: str) -> bool:
        """Whether it changes this layer of the UNet."""
        return of_transformers(module)

    def learned(self, count: int) -> tuple[list[Scene], Tensor]:
        """The shipped model's own icons, in its own scenes."""
        icons, catalogue = material.everyday(self.shelf.icons(STYLES), STYLES)
        scenes = material.scenes(catalogue, REDUCED_MIX, count, SEED, moves=False)
        return scenes, material.pixels(scenes, icons)

    def step(self, parent: Parent, samples: Samples, phase: Phase) -> Draw:
        """What one step of the training does, with what it learns from."""
        return step(parent, samples, phase)

    def judge(self, path: Path, folder: Path) -> Findings:
        """How well half a picture is filled in, with the LoRA and without it, in each of the ways."""
        gallery = self.shelf.icons(STYLES)
        icons, catalogue = material.everyday(gallery, STYLES)
        asked = [q for q in questions("reduced")[::JUDGED] if (q.style, q.subject) in catalogue.icons]
        real = material.pixels(_scenes_of(asked, catalogue), icons) / 2 + 0.5
        holes = torch.stack([half(number) for number in range(len(asked))])
        found: Findings = {"pictures": len(asked)}
        judge = Judge(gallery)
        for name, way in WAYS.items():
            wishes, brush = _wishes(asked, real, holes, way), replace(BRUSH, cfg=way.cfg)
            both = both_ways(self.shelf.parent, wishes, lora=path, brush=brush)
            ways = dict(zip(("without", "with"), both, strict=True))
            for which, drawn in ways.items():
                found |= {f"{name}_{which}_{key}": value for key, value in _measured(drawn, real, holes).items()}
                ranks = judge.rank(drawn, [(q.subject, q.style) for q in asked])
                found[f"{name}_{which}_top1"] = sum(rank == 0 for rank in ranks) / len(ranks)
            labels = [label for q in asked for label in ("given", f"without: {q.prompt}", "with")]
            given = torch.stack([cast(Tensor, wish.picture) for wish in wishes])
            report.sheet(companion.in_rows(given, *ways.values()), labels, folder / f"inpainting_{name}.png", columns=9)
        return found


def step(parent: Parent, samples: Samples, phase: Phase) -> Draw:
    """One step: say what belongs into a hole whose noise lies over something else."""
    network, device = cast(LowRank, phase.networks["lora"]), phase.device
    batch = min(BATCH, len(samples.latents))
    alpha_bars = BetaSchedule().alpha_bars().float()
    with torch.no_grad():
        nothing = torch.zeros(1, 3, material.SIDE, material.SIDE, device=device)
        grey = parent.vae.encode(nothing).float().cpu() * LATENT_SCALE

    def draw(generator: torch.Generator) -> Losses:
        drawn = samples.draw(batch, generator, CAPTION_DROPOUT)
        masks = holes(batch, drawn.clean.shape[-1], generator)
        begun = _begun(drawn, masks, grey, generator)
        noisy, wanted = hole_problem(drawn, begun, alpha_bars[drawn.times])
        times, context = drawn.times.to(device), drawn.context.to(device)
        answer = network.answer(parent.unet, noisy.to(device), times, context).float()
        error = mse_loss(answer, wanted.to(device), reduction="none").mean(dim=1, keepdim=True)
        counts = (masks + AROUND * (1 - masks)).to(device)
        each = (error * counts).sum(dim=(1, 2, 3)) / counts.sum(dim=(1, 2, 3))
        return {"loss": (drawn.weights.to(device) * each).mean(), "eps_mse": error.mean()}

    return draw


def hole_problem(drawn: Drawn, begun: Tensor, alpha_bar: Tensor) -> tuple[Tensor, Tensor]:
    """Noise over what a hole began as, and the answer that leads to the clean latent all the same.

    Where it began as the clean latent the answer is the noise. Shapes: begun [B, 4, h, w]; alpha_bar [B].
    """
    share = alpha_bar.view(-1, 1, 1, 1)
    noisy = material.hidden(begun, drawn.noise, alpha_bar)
    return noisy, (noisy - share.sqrt() * drawn.clean) / (1 - share).sqrt()


def holes(count: int, side: int, generator: torch.Generator) -> Tensor:
    """Rectangles, a quarter to nine tenths of the side long, anywhere; a third of them reach over a whole side.

    Returns: [count, 1, side, side], 1 = hole.
    """
    made = torch.zeros(count, 1, side, side)
    for number in range(count):
        length = 0.25 + 0.65 * torch.rand(2, generator=generator)
        height, width = (length * side).round().int().clamp(1, side).tolist()
        whole = torch.rand(1, generator=generator).item()
        height, width = (side if whole < 1 / 6 else height), (side if 1 / 6 <= whole < 1 / 3 else width)
        at = torch.rand(2, generator=generator)
        y, x = int(at[0] * (side - height + 1)), int(at[1] * (side - width + 1))
        made[number, :, y : y + height, x : x + width] = 1
    return made


def half(number: int, side: int = 16) -> Tensor:
    """The judge's holes in turn: left, right, upper and lower half. Returns: [side, side]."""
    hole = torch.zeros(side, side)
    parts = (hole[:, : side // 2], hole[:, side // 2 :], hole[: side // 2], hole[side // 2 :])
    parts[number % 4].fill_(1)
    return hole


def _begun(drawn: Drawn, masks: Tensor, grey: Tensor, generator: torch.Generator) -> Tensor:
    kind = torch.rand(len(masks), 1, 1, 1, generator=generator)
    foreign = torch.where(kind < FOREIGN / 2, grey, drawn.clean.roll(1, 0))
    is_foreign = (kind < FOREIGN) & (drawn.times.view(-1, 1, 1, 1) >= EARLIEST) & (masks > 0.5)
    return torch.where(is_foreign, foreign, drawn.clean)


def _scenes_of(asked: list[Question], catalogue: Catalogue) -> list[Scene]:
    return [Scene(q.prompt, Picture((Placed(catalogue.icons[q.style, q.subject]),))) for q in asked]


def _wishes(asked: list[Question], real: Tensor, holes: Tensor, way: Way) -> list[Wish]:
    masks = _in_pixels(holes)
    given = greyed(real.movedim(1, -1), masks).movedim(-1, 1)
    return [
        Wish(q.prompt if way.has_words else "", seed, picture=picture, hole=hole, denoise=way.denoise)
        for seed, (q, picture, hole) in enumerate(zip(asked, given, holes, strict=True))
    ]


def _measured(drawn: Tensor, real: Tensor, holes: Tensor) -> Findings:
    """How far the pictures are from the real ones: outside the holes as a mean difference, inside in dB."""
    masks = _in_pixels(holes).expand_as(drawn)
    outside = ((drawn - real).abs() * (1 - masks)).sum() / (1 - masks).sum()
    inside = ((drawn - real).square() * masks).sum() / masks.sum()
    return {"outside_difference": outside.item(), "inside_psnr": -10 * inside.log10().item()}


def _in_pixels(holes: Tensor) -> Tensor:
    return holes[:, None].repeat_interleave(8, 2).repeat_interleave(8, 3)
