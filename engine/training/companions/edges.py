"""The edge ControlNet: a copy of the UNet's encoder that reads Canny edges.

Things stand anywhere, in any size, mirrored or not, so that it has to look at the hint: where the shipped model would
have put a thing by itself, the hint would teach nothing.
"""

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from engine.checkpoints.save import save_tensors
from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.pictures.edges import canny
from engine.training import report
from engine.training.captions import REDUCED_MIX, Catalogue, Picture, Placed, Scene
from engine.training.companions import companion, material
from engine.training.companions.companion import About, Findings, both_ways
from engine.training.companions.easel import Wish
from engine.training.companions.material import Samples, Shelf
from engine.training.companions.parent import Parent, taken_apart
from engine.training.judge import questions
from engine.training.loop import Draw, Losses, Phase, Settings
from engine.training.objective import noise_error

ABOUT = About(
    "edges", Path("models/controlnet/latentwire_icons_edges.safetensors"), steps=7_000, licences=companion.FLUENT
)
STYLES = ("fluent3d", "fluentflat")
MIX = replace(REDUCED_MIX, place=0)  # where a thing stands is for the hint to say
SCENES, SEED = 2_000, 2
BATCH = 8
SETTINGS = Settings(2e-4, ema_decay=0.995, save_seconds=120, log_steps=25)
HINT_WIDTHS = (16, 32, 48, 64)  # the paper's end at 256, for an encoder five times as wide
CAPTION_DROPOUT = 0.3
JUDGED, JUDGED_SEED = 3, 90  # every third prompt of the shipped model's judge
LOW, HIGH = 0.2, 0.5  # Canny's thresholds when judged; in training they vary
REACH = 2  # pixels that an edge may be off


class Edges:
    """Its training, its file and its judge."""

    about = ABOUT

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def phase(self) -> Phase:
        """A fresh training, which begins with the shipped UNet's own encoder."""
        return phase(self.shelf.folder, taken_apart(self.shelf.parent, self.shelf.device))

    def draw(self, phase: Phase) -> Draw:
        """What one step of the training does."""
        parent = taken_apart(self.shelf.parent, self.shelf.device)
        return step(parent, *self._learned(parent), phase)

    def export(self, phase: Phase, path: Path) -> None:
        """Write the averaged weights under the names of the first published ControlNets."""
        export(phase, path)

    def judge(self, path: Path, folder: Path) -> Findings:
        """How well the edges of what is drawn lie on the hint's, with the net and without it."""
        icons, catalogue = material.everyday(self.shelf.icons(STYLES), STYLES)
        asked = material.pixels(moved_questions(catalogue), icons, JUDGED_SEED) / 2 + 0.5
        hints = edges_of(asked, LOW, HIGH)
        prompts = [question.caption for question in moved_questions(catalogue)]
        wishes = [
            Wish(prompt, seed, hint=hint.float().expand(3, -1, -1))
            for seed, (prompt, hint) in enumerate(zip(prompts, hints, strict=True))
        ]
        without, along = both_ways(self.shelf.parent, wishes, control=path)
        shown = hints[:, None].float().expand(-1, 3, -1, -1)
        labels = [label for prompt in prompts for label in ("hint", f"without: {prompt}", "with")]
        report.sheet(companion.in_rows(shown, without, along), labels, folder / "edges.png", columns=9)
        return {
            "pictures": len(wishes),
            "edge_f1_without": f1(edges_of(without, LOW, HIGH), hints),
            "edge_f1_with": f1(edges_of(along, LOW, HIGH), hints),
        }

    def _learned(self, parent: Parent) -> tuple[Samples, Tensor]:
        count = self.shelf.scenes or SCENES
        path = self.shelf.place("edges_scenes")
        found = material.kept(path, count)
        if found is None:
            icons, catalogue = material.everyday(self.shelf.icons(STYLES), STYLES)
            scenes = material.scenes(catalogue, MIX, count, SEED, moves=True)
            pictures = material.pixels(scenes, icons, SEED)
            made = material.samples(parent, pictures, [scene.caption for scene in scenes])
            material.keep(path, made, hints=varied_edges(pictures / 2 + 0.5, SEED))
            found = material.kept(path, count)
        assert found is not None
        return material.samples_of(found), found["hints"]


def phase(folder: Path, parent: Parent) -> Phase:
    """A fresh training that starts as the paper does: with the UNet's encoder, changing nothing."""
    torch.manual_seed(SETTINGS.seed)
    net = ControlNet(ControlNetConfig(parent.unet.config, hint_widths=HINT_WIDTHS))
    net.copy_encoder(parent.unet)
    return Phase(f"companion_{ABOUT.name}", folder, nn.ModuleDict({"net": net}), SETTINGS, parent.device)


def step(parent: Parent, samples: Samples, hints: Tensor, phase: Phase) -> Draw:
    """One step: find the noise in a latent whose edges the hint shows. Shapes: hints boolean [P, H, W]."""
    net, device = phase.networks["net"], phase.device
    batch = min(BATCH, len(samples.latents))

    def draw(generator: torch.Generator) -> Losses:
        drawn = samples.draw(batch, generator, CAPTION_DROPOUT)
        hint = hints[drawn.pick][:, None].float().expand(-1, 3, -1, -1).to(device)
        noisy, times, context = (each.to(device) for each in (drawn.noisy, drawn.times, drawn.context))
        control = net(noisy, hint, times, context)
        error = noise_error(parent.unet(noisy, times, context, control=control), drawn.noise.to(device))
        return {"loss": (drawn.weights.to(device) * error).mean(), "eps_mse": error.mean()}

    return draw


def export(phase: Phase, path: Path) -> None:
    """Write the averaged weights in half precision under the names of the first published ControlNets."""
    net = cast(ControlNet, phase.average["net"])
    tensors = {f"control_model.{name}": tensor.half().cpu() for name, tensor in net.state_dict().items()}
    save_tensors(path, tensors, ABOUT.metadata(phase.step, {"unet_heads": net.config.unet.heads}))


def edges_of(pictures: Tensor, low: float, high: float) -> Tensor:
    """Shapes: pictures [B, 3, H, W], 0 … 1; returns boolean [B, H, W]."""
    return canny(pictures.movedim(1, -1), low, high) > 0.5


def varied_edges(pictures: Tensor, seed: int) -> Tensor:
    """Edges by thresholds that vary, so that the net takes coarse hints and fine ones."""
    chance = torch.Generator().manual_seed(seed)
    found = []
    for picture in pictures:
        low, more = torch.rand(2, generator=chance).tolist()
        low = 0.1 + 0.3 * low
        found.append(edges_of(picture[None], low, low + 0.1 + 0.4 * more)[0])
    return torch.stack(found)


def moved_questions(catalogue: Catalogue) -> list[Scene]:
    """The judge's prompts, each thing where the shipped model would not put it by itself."""
    asked = [q for q in questions("reduced")[::JUDGED] if (q.style, q.subject) in catalogue.icons]
    plain = [Scene(q.prompt, Picture((Placed(catalogue.icons[q.style, q.subject]),))) for q in asked]
    return material.moved(plain, JUDGED_SEED)


def f1(found: Tensor, wanted: Tensor, reach: int = REACH) -> float:
    """How well edges lie on each other, 0 … 1: the harmonic mean of what is right and what is there.

    Shapes: boolean [B, H, W].
    """
    right = (found & _near(wanted, reach)).sum() / found.sum().clamp(min=1)
    there = (wanted & _near(found, reach)).sum() / wanted.sum().clamp(min=1)
    return (2 * right * there / (right + there).clamp(min=1e-9)).item()


def _near(edges: Tensor, reach: int) -> Tensor:
    return max_pool2d(edges[:, None].float(), 2 * reach + 1, 1, reach)[:, 0] > 0.5
