"""Each companion takes a step, goes on where it was, and its file does something in the hands of the real loaders."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.checkpoints.load import Loader
from engine.errors import TrainingError
from engine.folders import Folders
from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.models.rrdb import RRDBNet
from engine.training.companions import edges, inpainting, style, upscaler, workshop
from engine.training.companions.companion import Companion
from engine.training.companions.easel import Easel, Wish
from engine.training.companions.low_rank import LowRank, of_transformers_and_blocks
from engine.training.companions.material import SIDE, Shelf
from engine.training.companions.parent import taken_apart
from engine.training.dataset import Icons
from engine.training.loop import Budget, Phase
from engine.training.options import COMPANIONS, Options
from engine.training.studio import Brush
from nodes.controlnet import control_net_loader
from nodes.lora import lora_loader
from nodes.upscaling import upscale_model_loader

PARENT = Path(__file__).parents[4] / "models/checkpoints/latentwire_icons.safetensors"
CPU = torch.device("cpu")
SUBJECTS = ("1F34E", "1F34C", "1F98A", "1F697")
QUICK = Brush(steps=2)


def drawing(number: int) -> np.ndarray:
    """A disc of its own colour and size."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[np.hypot(x, y) < 20 + 4 * number] = (255 - 40 * number, 60 * number % 256, 90, 255)
    return pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training folder with a few icons of every style that companions learn from."""
    made = tmp_path_factory.mktemp("training")
    for style_name in ("fluent3d", "fluentflat", "noto", "streamline"):
        pixels = np.stack([drawing(number) for number in range(len(SUBJECTS))])
        icons = Icons(pixels, (style_name,) * len(SUBJECTS), SUBJECTS)
        icons.save(made / "icons" / f"{style_name}_{SIDE}.npz")
    return made


@pytest.fixture
def shelf(folder: Path) -> Callable[[str], Shelf]:
    """A folder of its own for each run; icons and scenes are shared."""

    def made(name: str) -> Shelf:
        own = folder / name
        own.mkdir(exist_ok=True)
        for shared in ("icons",):
            if not (own / shared).exists():
                (own / shared).symlink_to(folder / shared, target_is_directory=True)
        return Shelf(own, PARENT, CPU, scenes=2)

    return made


def learned(companion: Companion, steps: int) -> Phase:
    phase = companion.phase()
    phase.resume()
    workshop.learn(companion, phase, Budget(steps=steps))
    return phase


@pytest.mark.parametrize("name", COMPANIONS)
def test_one_step_and_one_more_after_resuming_are_two_steps(name: str, shelf: Callable[[str], Shelf]) -> None:
    make = workshop.COMPANIONS[name]
    straight = learned(make(shelf(f"{name}_straight")), 2)
    broken = shelf(f"{name}_broken")
    # The rate falls with the share of the budget that is spent, so the budget is the same and the power is cut.
    first = make(broken)
    phase = first.phase()
    draw = first.draw(phase)

    def once(generator: torch.Generator) -> object:
        if phase.step == 1:
            phase.save()
            raise InterruptedError
        return draw(generator)

    with pytest.raises(InterruptedError):
        phase.run(once, Budget(steps=2))  # type: ignore[arg-type]
    second = learned(make(broken), 2)
    assert second.step == straight.step == 2
    for key, value in straight.average.state_dict().items():
        assert torch.equal(value, second.average.state_dict()[key]), key
    begun = make(broken).phase().networks.state_dict()
    assert any(not torch.equal(value, begun[key]) for key, value in straight.networks.state_dict().items())


def shaken(phase: Phase, strength: float = 0.02) -> Phase:
    """As after a training: nothing is zero any more."""
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in phase.average.parameters():
            weight += strength * torch.randn(weight.shape, generator=chance)
    return phase


def apple(hint: Tensor | None = None) -> Wish:
    return Wish("apple, flat vector", 3, hint=hint)


def test_the_edge_net_changes_a_drawing_by_its_loader(tmp_path: Path, shelf: Callable[[str], Shelf]) -> None:
    folders = Folders(tmp_path)
    path = tmp_path / edges.ABOUT.file
    companion = edges.Edges(shelf("file"))
    companion.export(shaken(companion.phase()), path)
    net = control_net_loader(control_net_name=path.name, folders=folders, loader=Loader())
    assert net.part.module.config.unet.heads == taken_apart(PARENT, CPU).unet.config.heads
    hint = torch.zeros(3, SIDE, SIDE)
    hint[:, 30:90, 40] = 1
    plain = Easel(PARENT, brush=QUICK).draw(apple())
    guided = Easel(PARENT, control=path, brush=QUICK)
    assert (guided.draw(apple(hint)) - plain).abs().mean() > 1e-3
    assert torch.equal(guided.draw(apple()), plain)


def test_an_untrained_edge_net_changes_nothing(tmp_path: Path, shelf: Callable[[str], Shelf]) -> None:
    path = tmp_path / "net.safetensors"
    companion = edges.Edges(shelf("file"))
    companion.export(companion.phase(), path)
    hint = torch.ones(3, SIDE, SIDE)
    plain, guided = (Easel(PARENT, control=each, brush=QUICK).draw(apple(hint)) for each in (None, path))
    assert torch.allclose(plain, guided, atol=1e-5)


@pytest.mark.parametrize("module", [inpainting, style])
def test_a_lora_draws_as_it_answered_in_training(module: object, tmp_path: Path, shelf: Callable[[str], Shelf]) -> None:
    about = module.ABOUT  # type: ignore[attr-defined]
    companion = workshop.COMPANIONS[about.name](shelf("file"))
    phase, path = shaken(companion.phase(), 0.1), tmp_path / about.file
    companion.export(phase, path)
    loader = Loader()
    checkpoint = loader.checkpoint(PARENT)
    assert checkpoint.clip is not None
    patched = lora_loader(
        model=checkpoint.model, clip=checkpoint.clip, lora_name=path.name, folders=Folders(tmp_path), loader=loader
    )
    x, times, context = torch.randn(1, 4, 16, 16), torch.tensor([500.0]), checkpoint.clip.encode("apple")[0]
    unet, lora = taken_apart(PARENT, CPU).unet, phase.average["lora"]
    assert isinstance(lora, LowRank)
    with torch.no_grad():
        expected, plain = lora.answer(unet, x, times, context), unet(x, times, context)
        with patched.MODEL.ready() as network:
            found = network(x.to(next(network.parameters()).dtype), times, context)
    change = (expected - plain).abs().mean()
    assert change > 0.02
    assert (found.float() - expected).abs().mean() < 0.1 * change
    drawn = [Easel(PARENT, lora=each, brush=QUICK).draw(apple()) for each in (None, path)]
    assert (drawn[0] - drawn[1]).abs().mean() > 1e-3


def test_the_upscaler_makes_a_picture_four_times_as_large(tmp_path: Path, shelf: Callable[[str], Shelf]) -> None:
    path = tmp_path / upscaler.ABOUT.file
    companion = upscaler.Upscaler(shelf("file"))
    phase = companion.phase()
    companion.export(phase, path)
    network = upscale_model_loader(model_name=path.name, folders=Folders(tmp_path))
    x = torch.rand(1, 3, 8, 8)
    assert network.scale == 4
    with torch.no_grad():
        expected = phase.average["net"](x).clamp(0, 1)
    assert torch.allclose(network(x), expected, atol=2e-3)


def test_all_files_together_are_small_enough_to_ship(tmp_path: Path, shelf: Callable[[str], Shelf]) -> None:
    sizes = {}
    for name, make in workshop.COMPANIONS.items():
        companion = make(shelf("file"))
        path = tmp_path / companion.about.file.name
        companion.export(companion.phase(), path)
        sizes[name] = path.stat().st_size
    assert sum(sizes.values()) <= workshop.LARGEST, sizes


def test_what_was_kept_back_is_not_learned_from(folder: Path) -> None:
    shelf = Shelf(folder, PARENT, CPU)
    icons = shelf.icons(upscaler.STYLES)
    learns, held_out = upscaler.divided(icons)
    assert not set(learns.subjects) & set(held_out.subjects)
    assert len(learns.subjects) + len(held_out.subjects) == len(icons.subjects)
    stickers = shelf.icons((style.STYLE,))
    assert len(style.kept_back(stickers)) == 1
    assert style.kept_back(stickers) == style.kept_back(stickers)


def test_edges_that_lie_near_each_other_agree() -> None:
    hint = torch.zeros(1, 32, 32, dtype=torch.bool)
    hint[:, 8:24, 10] = True
    assert edges.f1(hint, hint) == 1.0
    assert edges.f1(hint.roll(2, 2), hint) == 1.0
    assert edges.f1(hint.roll(3, 2), hint) == 0.0
    assert edges.f1(torch.zeros_like(hint), hint) == 0.0
    half = hint.clone()
    half[:, 14:] = False  # 6 of 16 are there, and 2 more are near enough: a share of 8 / 16, all of it right
    assert math.isclose(edges.f1(half, hint), 2 * 0.5 / 1.5, rel_tol=1e-6)


def test_the_answer_for_a_hole_leads_to_the_clean_latent(folder: Path) -> None:
    chance = torch.Generator().manual_seed(0)
    samples = style.Samples(torch.randn(3, 4, 16, 16).half(), torch.zeros(3, 77, 8).half(), torch.zeros(77, 8).half())
    drawn = samples.draw(2, chance, 0.5)
    alpha_bar = torch.tensor([0.9, 0.2])
    masks = inpainting.holes(2, 16, chance)
    begun = torch.where(masks > 0.5, torch.randn(2, 4, 16, 16), drawn.clean)
    noisy, answer = inpainting.hole_problem(drawn, begun, alpha_bar)
    share = alpha_bar.view(-1, 1, 1, 1)
    assert torch.allclose((noisy - (1 - share).sqrt() * answer) / share.sqrt(), drawn.clean, atol=1e-5)
    assert torch.allclose(torch.where(masks > 0.5, drawn.noise, answer), drawn.noise, atol=1e-5)


def test_halves_of_pictures_are_asked_for_in_turn() -> None:
    holes = [inpainting.half(number) for number in range(4)]
    assert torch.equal(holes[0] + holes[1], torch.ones(16, 16))
    assert torch.equal(holes[2] + holes[3], torch.ones(16, 16))
    assert holes[0][0].tolist() == [1] * 8 + [0] * 8


def test_a_style_is_learned_in_attention_and_convolutions() -> None:
    lora = LowRank(taken_apart(PARENT, CPU).unet, 4, of_transformers_and_blocks)
    assert any(name.endswith("attn1.to_q.weight") for name in lora.targets)
    assert any(name.endswith("in_layers.2.weight") for name in lora.targets)
    assert not any(name.startswith(("time_embed", "out.")) for name in lora.targets)


@pytest.mark.slow
def test_a_command_trains_resumes_writes_and_measures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (edges, inpainting):
        monkeypatch.setattr(module, "JUDGED", 1)
    monkeypatch.setattr("engine.training.companions.easel.BRUSH", QUICK)
    own = tmp_path / "training"
    own.mkdir()
    (own / "icons").symlink_to(folder / "icons", target_is_directory=True)
    for name in COMPANIONS:
        steps = workshop.COMPANIONS[name](Shelf(own, PARENT, CPU)).about.steps
        chosen = Options(folder=own, device="cpu", stretch=1 / steps, scenes=2, evaluate=True)
        output = tmp_path / f"{name}.safetensors"
        workshop.train(name, chosen, output, PARENT)
        assert output.exists()
        assert (own / "report" / f"{name}.json").exists()


def test_a_companion_that_has_learned_nothing_is_not_written(shelf: Callable[[str], Shelf], tmp_path: Path) -> None:
    chosen = Options(folder=shelf("nothing").folder, device="cpu", minutes=0)
    with pytest.raises(TrainingError, match="nothing learned yet"):
        workshop.train("upscaler", chosen, tmp_path / "x.safetensors", PARENT)
    assert not (tmp_path / "x.safetensors").exists()


def test_the_net_starts_as_the_encoder_it_copies() -> None:
    unet = taken_apart(PARENT, CPU).unet
    net = ControlNet(ControlNetConfig(unet.config, hint_widths=edges.HINT_WIDTHS))
    net.copy_encoder(unet)
    mine, theirs = net.state_dict(), unet.state_dict()
    shared = [name for name in mine if name in theirs]
    assert len(shared) > 100
    assert all(torch.equal(mine[name], theirs[name]) for name in shared)


def test_the_upscaler_is_the_network_of_its_settings() -> None:
    assert upscaler.CONFIG.scale == upscaler.SCALE
    assert sum(p.numel() for p in RRDBNet(upscaler.CONFIG).parameters()) * 2 < 1_000_000
