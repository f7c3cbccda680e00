"""Measures a finished file: every number of the model card comes from here.

python main.py train icons --recipe reduced --minutes 0 --evaluate
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from engine.checkpoints.load import Loader
from engine.sampling.betas import BetaSchedule
from engine.training import captions, checks, report, studio
from engine.training.captions import COLOURS, HUES, NUMBERS, Catalogue, Mix, Scene, plural, with_article
from engine.training.compositions import draw as draw_picture
from engine.training.dataset import Icons
from engine.training.judge import Judge, Question
from engine.training.objective import noise_error, ssim
from engine.values import Clip

HELD_OUT_SEED = 7  # Training draws its scenes with seeds 0 and 1.


@dataclass(frozen=True)
class Measured:
    """What was found. Distances are the judge's: 0 is the same picture. None: the recipe does not teach it."""

    top1: float
    top5: float
    by_style: dict[str, tuple[float, float]]
    missed: tuple[str, ...]
    vae_psnr: float
    vae_ssim: float
    eps_mse: float
    nearest_distance: float
    real_nearest_distance: float
    background: float | None
    place: float | None
    count: float | None
    hue: float | None

    def save(self, path: Path) -> None:
        """Write the numbers as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")


@dataclass(frozen=True)
class Exam:
    """What a file is measured on; `held_out` is how many scenes that training has not drawn."""

    path: Path
    asked: Sequence[Question]
    gallery: Icons
    catalogue: Catalogue
    icons: Icons
    mix: Mix
    brush: studio.Brush
    held_out: int = 128


def evaluate(exam: Exam, folder: Path) -> Measured:
    """Draw the fixed prompts and measure everything; sheets of the pictures go to `folder`.

    Raises: CheckpointError, TrainingError, for a file that cannot be drawn with.
    """
    judge = Judge(exam.gallery)
    drawn = list(studio.draw(exam.path, [q.prompt for q in exam.asked], range(len(exam.asked)), exam.brush))
    ranks = judge.rank(torch.stack(drawn), [(q.subject, q.style) for q in exam.asked])
    labels = [f"{rank + 1}: {q.prompt}" for rank, q in zip(ranks, exam.asked, strict=True)]
    report.sheet(drawn, labels, folder / "judged.png")
    psnr, likeness, eps_mse = _held_out(exam)
    return Measured(
        top1=_share(ranks, 1),
        top5=_share(ranks, 5),
        by_style=_by_style(ranks, exam.asked),
        missed=tuple(q.prompt for rank, q in zip(ranks, exam.asked, strict=True) if rank >= 5),
        vae_psnr=psnr,
        vae_ssim=likeness,
        eps_mse=eps_mse,
        nearest_distance=judge.distances(torch.stack(drawn)).median().item(),
        real_nearest_distance=_between_icons(judge),
        **_compositions(exam, folder),
    )


def _share(ranks: Sequence[int], below: int) -> float:
    return mean(rank < below for rank in ranks)


def _by_style(ranks: Sequence[int], asked: Sequence[Question]) -> dict[str, tuple[float, float]]:
    """Top-1 and top-5 of each style."""
    found = {}
    for style in sorted({question.style for question in asked}):
        own = [rank for rank, question in zip(ranks, asked, strict=True) if question.style == style]
        found[style] = (_share(own, 1), _share(own, 5))
    return found


def _between_icons(judge: Judge) -> float:
    """How far real icons are from the nearest icon of another subject: what "not a copy" would look like."""
    likeness = judge.features[:400] @ judge.features.T
    for row, subject in enumerate(judge.subjects[:400]):
        same = torch.tensor([found == subject for found in judge.subjects])
        likeness[row, same] = -1
    return (1 - likeness.amax(dim=1)).median().item()


def _held_out(exam: Exam) -> tuple[float, float, float]:
    """PSNR in dB and SSIM of the autoencoder, and the denoiser's error, on scenes that training has not drawn."""
    scenes = captions.scenes(exam.catalogue, replace(exam.mix, background=0.8), exam.held_out, HELD_OUT_SEED)
    layers = exam.icons.layers()
    pixels = torch.stack([draw_picture(scene.picture, layers, exam.brush.side) for scene in scenes]) / 2 + 0.5
    checkpoint = Loader().checkpoint(exam.path)
    clip, vae = studio.parts(checkpoint, exam.path)
    latent = vae.encode(pixels.movedim(1, -1))
    drawn = vae.decode(latent).movedim(-1, 1)
    psnr = -10 * (drawn - pixels).square().mean(dim=(1, 2, 3)).log10()
    with checkpoint.model.ready() as network, torch.no_grad():
        clean = checkpoint.model.latent_format.to_model(latent)
        eps_mse = _eps_mse(network, clean, clip, scenes)
    return psnr.mean().item(), ssim(drawn, pixels).item(), eps_mse


def _eps_mse(network: torch.nn.Module, clean: Tensor, clip: Clip, scenes: Sequence[Scene]) -> float:
    generator = torch.Generator().manual_seed(HELD_OUT_SEED)
    alpha_bars = BetaSchedule().alpha_bars().float()
    times = torch.randint(len(alpha_bars), (len(clean),), generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    alpha_bar = alpha_bars[times].view(-1, 1, 1, 1)
    noisy = alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise
    context = torch.cat([clip.encode(scene.caption)[0] for scene in scenes])
    weight = next(network.parameters())
    errors = []
    for part in torch.arange(len(clean)).split(16):
        given = (given[part].to(weight.device, weight.dtype) for given in (noisy, times, context))
        errors.append(noise_error(network(*given).cpu(), noise[part]))
    return torch.cat(errors).mean().item()


def _compositions(exam: Exam, folder: Path) -> dict[str, float | None]:
    """How often a program finds what the prompt said: the background's colour, the place, the number, the hue."""
    found: dict[str, float | None] = {}
    for kind, (share, is_right, prompts) in _composition_tests(exam).items():
        found[kind] = None
        if share > 0:
            drawn = list(studio.draw(exam.path, [prompt for prompt, _ in prompts], range(len(prompts)), exam.brush))
            report.sheet(drawn, [prompt for prompt, _ in prompts], folder / f"{kind}.png")
            found[kind] = mean(is_right(picture, wanted) for picture, (_, wanted) in zip(drawn, prompts, strict=True))
    return found


Test = tuple[float, Callable[[Tensor, str], bool], list[tuple[str, str]]]


def _composition_tests(exam: Exam) -> dict[str, Test]:
    """For each kind: how often it is taught, how an answer is checked, and prompts with the answers they want."""
    names = [exam.catalogue.concepts[q.subject].names[0] for q in exam.asked[::10]]
    phrase = exam.catalogue.phrases[exam.asked[0].style][0]
    colours = [colour for colour in COLOURS if colour not in ("black", "gray", "brown")]
    behind = [(f"{name}, {phrase}, on a {c} background", c) for name, c in zip(names, colours * 2, strict=False)]
    sides = [(f"{with_article(name)} on the {side}, {phrase}", side) for name in names for side in ("left", "right")]
    counts = [(f"{word} {plural(name)}, {phrase}", str(n)) for name in names[:6] for n, word in NUMBERS.items()]
    hues = [(f"a {hue} {name}, {phrase}", hue) for name, hue in zip(names, list(HUES) * 2, strict=False)]
    return {
        "background": (exam.mix.background, lambda x, wanted: checks.background(x) == wanted, behind),
        "place": (exam.mix.place, lambda x, wanted: (checks.middle(x)[0] < 0.5) == (wanted == "left"), sides),
        "count": (exam.mix.count, lambda x, wanted: checks.count(x) == int(wanted), counts),
        "hue": (exam.mix.recolour, lambda x, wanted: checks.hue(x) == wanted, hues),
    }
