"""The ×4 upscaler: a small RRDBNet that draws icons of 32 pixels at 128.

It sees all subjects but those kept back, small pictures made in many ways (soft, sharp, noisy), on any background.
"""

import json
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from engine.checkpoints import upscalers
from engine.checkpoints.save import save_tensors
from engine.models.rrdb import RRDBConfig, RRDBNet
from engine.pictures.upscaling import upscaled
from engine.training import report
from engine.training.backgrounds import Backgrounds
from engine.training.companions import companion
from engine.training.companions.companion import About, Findings
from engine.training.companions.material import SIDE, Shelf, shrunk
from engine.training.dataset import Icons
from engine.training.loop import Draw, Losses, Phase, Settings
from engine.training.objective import reconstruction, ssim

STYLES = ("fluent3d", "fluentflat", "noto")
ABOUT = About(
    "upscaler",
    Path("models/upscale_models/latentwire_icons_x4.safetensors"),
    steps=12_000,
    licences=(*companion.FLUENT, "Noto Emoji, Google Inc (Apache-2.0)"),
)
CONFIG = RRDBConfig(features=24, blocks=3, growth=16)
SCALE = 4
BATCH = 4
SETTINGS = Settings(5e-4, ema_decay=0.998, save_seconds=120, log_steps=25, weight_decay=0.0)
KEPT_BACK = 10  # every tenth subject
JUDGED, JUDGED_SEED = 64, 90
NOISE = 0.03  # at most, in 0 … 1
RIVALS = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


class Upscaler:
    """Its training, its file and its judge."""

    about = ABOUT

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def phase(self) -> Phase:
        """A fresh training from random weights."""
        return phase(self.shelf.folder, self.shelf.device)

    def draw(self, phase: Phase) -> Draw:
        """What one step of the training does."""
        learned, _ = divided(self.shelf.icons(STYLES))
        if self.shelf.scenes is not None:
            learned = Icons(
                learned.pixels[: self.shelf.scenes],
                learned.styles[: self.shelf.scenes],
                learned.subjects[: self.shelf.scenes],
            )
        return step(learned, phase)

    def export(self, phase: Phase, path: Path) -> None:
        """Write the averaged weights under BasicSR's names."""
        export(phase, path)

    def judge(self, path: Path, folder: Path) -> Findings:
        """How near enlarged icons come to the real ones, by the network and by what needs none."""
        _, held_out = divided(self.shelf.icons(STYLES))
        chance = torch.Generator().manual_seed(JUDGED_SEED)
        pick = torch.randperm(len(held_out.subjects), generator=chance)[:JUDGED]
        real = on_grounds(held_out.pixels[pick.numpy()], chance)
        small = (shrunk(real, SIDE // SCALE) * 255).round() / 255
        ways = {name: resized(small, kind) for name, kind in RIVALS.items()}
        network = upscalers.load(path)
        made = [upscaled(network, each.movedim(0, -1)[None], torch.device("cpu")) for each in small]
        ways["network"] = torch.cat(made).movedim(-1, 1)
        found: Findings = {"pictures": len(real)}
        for name, drawn in ways.items():
            error = (drawn - real).square().mean(dim=(1, 2, 3))
            found[f"{name}_psnr"] = (-10 * error.clamp(min=1e-9).log10()).mean().item()
            found[f"{name}_ssim"] = ssim(drawn, real).item()
        labels = [label for _ in real for label in ("real", *ways)]
        report.sheet(companion.in_rows(real, *ways.values()), labels, folder / "upscaler.png", columns=8)
        return found


def phase(folder: Path, device: torch.device) -> Phase:
    """A fresh training. The last layers of the blocks start small, as ESRGAN's authors advise for deep trunks."""
    torch.manual_seed(SETTINGS.seed)
    net = RRDBNet(CONFIG)
    with torch.no_grad():
        for name, weight in net.body.named_parameters():
            if name.endswith("weight"):
                weight.mul_(0.1)
    return Phase(f"companion_{ABOUT.name}", folder, nn.ModuleDict({"net": net}), SETTINGS, device)


def step(icons: Icons, phase: Phase) -> Draw:
    """One step: draw icons large that were made small."""
    net, device = phase.networks["net"], phase.device
    batch = min(BATCH, len(icons.subjects))

    def draw(generator: torch.Generator) -> Losses:
        pick = torch.randint(len(icons.subjects), (batch,), generator=generator)
        large = on_grounds(icons.pixels[pick.numpy()], generator)
        if torch.rand(1, generator=generator) < 0.5:
            large = large.flip(-1)
        small = degraded(large, generator)
        drawn = net(small.to(device)).float()
        error = reconstruction(drawn * 2 - 1, large.to(device) * 2 - 1)
        return {"loss": error, "l1": (drawn - large.to(device)).abs().mean()}

    return draw


def export(phase: Phase, path: Path) -> None:
    """Write the averaged weights in half precision under BasicSR's names, which need no wrapping."""
    net = cast(RRDBNet, phase.average["net"])
    tensors = {name: tensor.half().cpu() for name, tensor in net.state_dict().items()}
    save_tensors(path, tensors, {**ABOUT.metadata(phase.step), "scale": json.dumps(SCALE)})


def divided(icons: Icons) -> tuple[Icons, Icons]:
    """The icons to learn from, and those of every tenth subject, which are kept back in all styles."""
    subjects = sorted(set(icons.subjects))
    back = set(subjects[::KEPT_BACK])
    styles = set(icons.styles)
    return icons.only(set(subjects) - back, styles), icons.only(back, styles)


def on_grounds(pixels: np.ndarray, generator: torch.Generator) -> Tensor:
    """Icons on backgrounds by chance. Shapes: pixels uint8 [B, H, W, 4]; returns [B, 3, H, W], 0 … 1."""
    layers = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    ground = Backgrounds().draw(len(layers), layers.shape[-1], generator)
    return layers[:, :3] * layers[:, 3:] + (1 - layers[:, 3:]) * ground


def degraded(large: Tensor, generator: torch.Generator) -> Tensor:
    """A quarter of the size, made in one of several ways: perhaps blurred, by area or cubic, perhaps with noise."""
    blurs, way, noisy = torch.rand(3, generator=generator).tolist()
    if blurs < 0.3:
        large = avg_pool2d(large, 5 if blurs < 0.1 else 3, 1, 2 if blurs < 0.1 else 1, count_include_pad=False)
    mode = "area" if way < 0.6 else "bicubic" if way < 0.85 else "bilinear"
    small = shrunk(large, large.shape[-1] // SCALE, mode)
    strength = NOISE * (2 * noisy - 1 if noisy > 0.5 else 0.0)
    return (small + strength * torch.randn(small.shape, generator=generator)).clamp(0, 1)


def resized(small: Tensor, kind: Image.Resampling) -> Tensor:
    """Enlarged without any network. Shapes: [B, 3, h, w] to [B, 3, 4·h, 4·w], 0 … 1."""
    made = []
    for each in small:
        picture = Image.fromarray((each * 255).round().byte().movedim(0, -1).numpy())
        large = np.asarray(picture.resize((picture.width * SCALE, picture.height * SCALE), kind))
        made.append(torch.from_numpy(large.copy()).movedim(-1, 0).float() / 255)
    return torch.stack(made)
