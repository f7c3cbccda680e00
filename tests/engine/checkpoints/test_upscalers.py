"""ESRGAN's upscalers in their three layouts, against a second implementation that reads the files' own names."""

import math
import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import conv2d

from engine.checkpoints import upscalers
from engine.errors import CheckpointError
from engine.models.rrdb import RRDBConfig, RRDBNet
from tests.upscaler_files import BLOCKS, WIDE, Weights, drawn, names_of


def reference(weights: Weights, x: Tensor, layout: str, ups: int) -> Tensor:
    """ESRGAN's generator from the paper's figure 4 and section 3.1, on a file's own names; residuals by 0.2."""

    def conv(x: Tensor, name: str) -> Tensor:
        return conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)

    def active(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x * 0.2)

    def twice(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    dense = {
        "old": "model.1.sub.{}.RDB{}.conv{}.0",
        "bsrgan": "RRDB_trunk.{}.RDB{}.conv{}",
        "basicsr": "body.{}.rdb{}.conv{}",
    }[layout]
    start = trunk = conv(x, "model.0" if layout == "old" else "conv_first")
    for i in range(BLOCKS):
        block = trunk
        for j in (1, 2, 3):
            seen = [block]
            for k in range(1, 5):
                made = active(conv(torch.cat(seen, 1), dense.format(i, j, k)))
                shortcut = weights.get(f"model.1.sub.{i}.RDB{j}.conv1x1.weight")
                if shortcut is not None and k == 2:  # ESRGAN+, figure 3: every second layer gets an addition
                    made = made + conv2d(block, shortcut)
                if shortcut is not None and k == 4:
                    made = made + seen[2]
                seen.append(made)
            block = block + 0.2 * conv(torch.cat(seen, 1), dense.format(i, j, 5))
        trunk = trunk + 0.2 * block
    names = {
        "old": (f"model.1.sub.{BLOCKS}", f"model.{3 * ups + 2}", f"model.{3 * ups + 4}", "model."),
        "bsrgan": ("trunk_conv", "HRconv", "conv_last", "upconv"),
        "basicsr": ("conv_body", "conv_hr", "conv_last", "conv_up"),
    }[layout]
    made = start + conv(trunk, names[0])
    for n in range(1, ups + 1):
        made = active(conv(twice(made), f"{names[3]}{3 * n if layout == 'old' else n}"))
    return conv(active(conv(made, names[1])), names[2])


def picture(height: int = 10, width: int = 12) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layout", ["old", "bsrgan", "basicsr"])
@pytest.mark.parametrize("ups", [0, 1, 2, 3])
def test_every_layout_draws_what_the_paper_says(layout: str, ups: int) -> None:
    weights = drawn(names_of(layout, ups))
    upscaler = upscalers.read("a.pth", weights)
    assert (upscaler.scale, upscaler.input_channels) == (2**ups, 3)
    with torch.no_grad():
        made = upscaler.model(picture())
    wanted = reference(weights, picture(), layout, ups)
    assert made.shape == wanted.shape
    assert torch.allclose(made, wanted, atol=1e-4 * float(wanted.abs().max()))
    assert torch.equal(upscaler(picture()), made.clamp(0, 1))


def test_the_shortcut_of_esrgan_plus_is_drawn() -> None:
    weights = drawn(names_of("old", 2, has_shortcut=True))
    with torch.no_grad():
        made = upscalers.read("a.pth", weights).model(picture())
    wanted = reference(weights, picture(), "old", 2)
    assert torch.allclose(made, wanted, atol=1e-4 * float(wanted.abs().max()))
    plain = {name: tensor for name, tensor in weights.items() if "conv1x1" not in name}
    assert not torch.allclose(reference(plain, picture(), "old", 2), wanted, atol=1e-2)


@pytest.mark.parametrize(("factor", "scale"), [(2, 2), (4, 1)])
def test_networks_that_fold_pixels_first_are_less_large_and_take_any_size(factor: int, scale: int) -> None:
    shapes = {**names_of("basicsr", 2), "conv_first.weight": (WIDE, 3 * factor**2, 3, 3)}
    weights = drawn(shapes)
    upscaler = upscalers.read("a.pth", weights)
    assert upscaler.scale == scale
    # A pixel of the network's picture is a square of the given one: channel by channel, row by row (PyTorch's order).
    x = picture(8, 12)
    rows = [x[:, c, i::factor, j::factor] for c in range(3) for i in range(factor) for j in range(factor)]
    wanted = reference(weights, torch.stack(rows, dim=1), "basicsr", 2)
    assert wanted.shape[-2:] == (8 * scale, 12 * scale)
    with torch.no_grad():
        assert torch.allclose(upscaler.model(x), wanted, atol=1e-4 * float(wanted.abs().max()))
        assert upscaler.model(picture(9, 11)).shape == (1, 3, 9 * scale, 11 * scale)


@pytest.mark.parametrize("wrapper", upscalers.WRAPPERS)
def test_weights_are_found_in_what_training_programs_wrap_them_in(wrapper: str, tmp_path: Path) -> None:
    weights = drawn(names_of("basicsr", 1))
    wrapped = {f"module.{name}": tensor.half() for name, tensor in weights.items()}
    torch.save({"epoch": 3, wrapper: wrapped}, tmp_path / "a.pth")
    upscaler = upscalers.load(tmp_path / "a.pth")
    assert upscaler.dtype == torch.float32
    assert torch.equal(upscaler.model.conv_hr.weight, weights["conv_hr.weight"].half().float())


def test_the_averaged_weights_are_taken_before_the_others(tmp_path: Path) -> None:
    mean, last = drawn(names_of("basicsr", 1)), {name: torch.zeros(s) for name, s in names_of("basicsr", 1).items()}
    torch.save({"params": last, "params_ema": mean}, tmp_path / "a.pth")
    assert upscalers.load(tmp_path / "a.pth").model.conv_hr.weight.any()


def test_safetensors_files_are_read(tmp_path: Path) -> None:
    save_file(drawn(names_of("bsrgan", 2)), tmp_path / "a.safetensors")
    assert upscalers.load(tmp_path / "a.safetensors").scale == 4


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda w: w.pop("conv_last.weight"), "an ESRGAN upscaler without conv_last.weight"),
        (lambda w: w.pop("body.1.rdb2.conv3.bias"), r"body\.1\.rdb2\.conv3\.bias should be \[4\], got nothing"),
        (
            lambda w: w.update({"conv_hr.weight": torch.zeros(8, 7, 3, 3)}),
            r"conv_hr\.weight should be \[8, 8, 3, 3\], got \[8, 7, 3, 3\]",
        ),
        (lambda w: w.update({"conv_hr.bias": torch.full((8,), math.nan)}), "conv_hr.bias holds NaN"),
        (lambda w: w.update({"attention.weight": torch.zeros(1)}), "nobody here knows: attention.weight"),
    ],
)
def test_a_damaged_upscaler_is_named_with_the_key(damage, said: str) -> None:
    weights = drawn(names_of("basicsr", 1))
    damage(weights)
    with pytest.raises(CheckpointError, match=rf"^b\.pth: .*{said}"):
        upscalers.read("b.pth", weights)


def test_other_architectures_need_spandrel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(CheckpointError, match=r"b\.pth: no upscaler of the ESRGAN family \(it has layers\.0\.weight\)"):
        upscalers.read("b.pth", {"layers.0.weight": torch.zeros(1)})


def test_what_spandrel_does_not_know_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class ModelLoader:
        def load_from_state_dict(self, weights):
            raise KeyError("no such architecture")

    monkeypatch.setitem(sys.modules, "spandrel", types.SimpleNamespace(ModelLoader=ModelLoader))
    with pytest.raises(CheckpointError, match=r"b\.pth: spandrel cannot read it \(KeyError: 'no such architecture'\)"):
        upscalers.read("b.pth", {"layers.0.weight": torch.zeros(1)})


def test_what_makes_no_picture_of_a_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class MaskedImageModelDescriptor:
        pass

    class ModelLoader:
        def load_from_state_dict(self, weights):
            return MaskedImageModelDescriptor()

    monkeypatch.setitem(sys.modules, "spandrel", types.SimpleNamespace(ModelLoader=ModelLoader))
    with pytest.raises(CheckpointError, match="must be a single-image model, got MaskedImageModelDescriptor"):
        upscalers.read("b.pth", {"layers.0.weight": torch.zeros(1)})


def test_real_esrgans_published_shapes_are_recognised() -> None:
    """RealESRGAN_x4plus: 23 blocks of 64, growing by 32, two doublings."""
    with torch.device("meta"):
        network = RRDBNet(RRDBConfig())
    assert upscalers.config_of(network.state_dict()) == RRDBConfig()
    assert sum(each.numel() for each in network.parameters()) == 16_697_987  # as the BasicSR project counts it
