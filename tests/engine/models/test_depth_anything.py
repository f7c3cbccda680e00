"""Depth Anything 3 against transformers' DINOv2 and Depth Anything, and its turns, views and cameras in closed form."""

import math
from statistics import variance

import pytest
import torch
from torch import Tensor
from transformers import DepthAnythingConfig as TheirConfig
from transformers import DepthAnythingForDepthEstimation, Dinov2Config
from transformers.models.dinov2.modeling_dinov2 import Dinov2SwiGLUFFN

from engine.models.depth_anything.camera import CameraDecoder, from_rays, grid, rotations
from engine.models.depth_anything.config import TRUNK, DepthAnythingConfig
from engine.models.depth_anything.heads import Answers, places
from engine.models.depth_anything.trunk import DinoV2, GatedMlp, Turn, stretched
from engine.models.depth_anything.views import leading, led_by, undone
from tests import depth_files
from tests.depth_files import TINY, TINY_MONO, Layout

Networks = tuple[DinoV2, Answers]


def made(layout: Layout, seed: int = 0) -> Networks:
    tensors = depth_files.tensors(layout, "", seed)
    config = DepthAnythingConfig.from_shapes({name: tuple(each.shape) for name, each in tensors.items()})
    trunk, answers = DinoV2(config).eval(), Answers(config).eval()
    trunk.load_state_dict({name: tensors[TRUNK + name] for name in trunk.state_dict()})
    for level in ("weight", "bias"):
        tensors[f"head.scratch.output_conv2_aux.3.2.{level}"] = tensors.get(
            f"head.scratch.output_conv2_aux.0.2.{level}", torch.zeros(0)
        )
    answers.load_state_dict({name: tensors[name] for name in answers.state_dict()})
    return trunk.requires_grad_(False), answers.requires_grad_(False)


def pixels(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


# ------------------------------------------------------------------------------------- against transformers' networks


def theirs(trunk: DinoV2, answers: Answers) -> DepthAnythingForDepthEstimation:
    """Depth Anything 2 with the weights of a mono model, which has the same architecture but for the ends."""
    config = trunk.config
    backbone = Dinov2Config(
        hidden_size=config.width,
        num_hidden_layers=config.blocks,
        num_attention_heads=config.heads,
        mlp_ratio=config.mlp_width // config.width,
        image_size=config.cells * config.patch,
        patch_size=config.patch,
        out_indices=[number + 1 for number in config.taken_from],
        reshape_hidden_states=False,
    )
    net = DepthAnythingForDepthEstimation(
        TheirConfig(
            backbone_config=backbone,
            reassemble_hidden_size=config.width,
            neck_hidden_sizes=list(config.stages),
            fusion_hidden_size=config.features,
            head_hidden_size=32,
            patch_size=config.patch,
        )
    ).eval()
    report = net.load_state_dict(_renamed(trunk.state_dict(), answers.state_dict(), config), strict=False)
    unused = ("mask_token", "fusion_stage.layers.0.residual_layer1")  # they are never asked
    assert not report.unexpected_keys
    assert all(any(each in name for each in unused) for name in report.missing_keys)
    net.backbone.layernorm.eps = trunk.norm.eps
    return net


def _renamed(trunk: dict[str, Tensor], answers: dict[str, Tensor], config: DepthAnythingConfig) -> dict[str, Tensor]:
    new = {
        "backbone.embeddings.cls_token": trunk["cls_token"],
        "backbone.embeddings.position_embeddings": trunk["pos_embed"],
    }
    pairs = {"patch_embed.proj": "backbone.embeddings.patch_embeddings.projection", "norm": "backbone.layernorm"}
    for number in range(config.blocks):
        layer = f"backbone.encoder.layer.{number}"
        for kind in ("weight", "bias"):
            parts = trunk[f"blocks.{number}.attn.qkv.{kind}"].chunk(3)
            for part, name in zip(parts, "qkv", strict=True):
                new[f"{layer}.attention.{name}_proj.{kind}"] = part
        for index in (1, 2):
            new[f"{layer}.layer_scale{index}.lambda1"] = trunk[f"blocks.{number}.ls{index}.gamma"]
        for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
            pairs[f"blocks.{number}.{name}"] = f"{layer}.{name}"
        pairs[f"blocks.{number}.attn.proj"] = f"{layer}.attention.o_proj"
    for level in range(4):
        pairs[f"head.projects.{level}"] = f"neck.reassemble_stage.layers.{level}.projection"
        pairs[f"head.resize_layers.{level}"] = f"neck.reassemble_stage.layers.{level}.resize"
        pairs[f"head.scratch.layer{level + 1}_rn"] = f"neck.convs.{level}"
        fusion = f"neck.fusion_stage.layers.{3 - level}"
        pairs[f"head.scratch.refinenet{level + 1}.out_conv"] = f"{fusion}.projection"
        for unit in (1, 2):
            for conv in (1, 2):
                ours = f"head.scratch.refinenet{level + 1}.resConfUnit{unit}.conv{conv}"
                pairs[ours] = f"{fusion}.residual_layer{unit}.convolution{conv}"
    pairs |= {"head.scratch.output_conv1": "head.conv1"}
    pairs |= {"head.scratch.output_conv2.0": "head.conv2", "head.scratch.output_conv2.2": "head.conv3"}
    both = {**trunk, **answers}
    for old, name in pairs.items():
        new |= {f"{name}.{kind}": both[f"{old}.{kind}"] for kind in ("weight", "bias") if f"{old}.{kind}" in both}
    return new


def test_a_mono_model_is_transformers_depth_anything_with_an_exponent_at_the_end() -> None:
    trunk, answers = made(TINY_MONO)
    with torch.no_grad():
        answers.head.scratch.output_conv2[2].bias += 8  # theirs ends in a ReLU, which must not act
    other, x = theirs(trunk, answers), pixels(2, 3, 42, 42)
    wanted = other(x).predicted_depth
    assert wanted.min() > 0
    seen = trunk(x)
    found = torch.stack([answers.maps(seen, view, 42, 42).depth for view in range(2)])
    assert torch.allclose(found.log(), wanted, atol=1e-4)


def test_the_plain_vision_transformer_is_transformers_dinov2() -> None:
    trunk, answers = made(TINY_MONO)
    x = pixels(2, 3, 42, 42)
    wanted = theirs(trunk, answers).backbone(x).feature_maps
    for found, each in zip(trunk(x).cells, wanted, strict=True):
        assert torch.allclose(found, each[:, 1:], atol=1e-4)


def test_the_gated_layers_are_transformers_swiglu() -> None:
    other = Dinov2SwiGLUFFN(Dinov2Config(hidden_size=64, mlp_ratio=4))
    ours = GatedMlp(64, other.down_proj.in_features)
    for kind in ("weight", "bias"):
        gates = [getattr(each, kind) for each in (other.gate_proj, other.up_proj)]
        getattr(ours.w12, kind).data.copy_(torch.cat(gates))
        getattr(ours.w3, kind).data.copy_(getattr(other.down_proj, kind))
    x = pixels(2, 5, 64)
    assert torch.allclose(ours(x), other(x), atol=1e-5)
    with torch.device("meta"):
        giant = Dinov2SwiGLUFFN(Dinov2Config(hidden_size=1536, mlp_ratio=4))
    assert giant.down_proj.in_features == depth_files.GIANT.mlp


# ----------------------------------------------------------------------------------------------- positions and views


def test_positions_are_stretched_by_keys_cubic_between_the_middles_of_cells() -> None:
    """Against the kernel itself, with the tenth of a cell that DINOv2 adds."""

    def kernel(x: float, a: float = -0.75) -> float:
        x = abs(x)
        if x < 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0

    def matrix(count: int, side: int) -> Tensor:
        rows = torch.zeros(count, side, dtype=torch.float64)
        for out in range(count):
            place = (out + 0.5) * side / (count + 0.1) - 0.5
            for tap in range(math.floor(place) - 1, math.floor(place) + 3):
                rows[out, min(max(tap, 0), side - 1)] += kernel(place - tap)
        return rows

    positions = pixels(1, 17, 3)
    grid = positions[0, 1:].double().view(4, 4, 3)
    wanted = torch.einsum("rh,cw,hwd->rcd", matrix(5, 4), matrix(7, 4), grid).flatten(0, 1)
    found = stretched(positions, 5, 7)
    assert torch.allclose(found[0, 1:].double(), wanted, atol=1e-5)
    assert torch.equal(found[:, :1], positions[:, :1])
    assert stretched(positions, 4, 4) is positions


def test_places_turn_pairs_of_features_as_complex_numbers() -> None:
    places_of = torch.tensor([[0, 0], [3, 1], [2, 5]])
    x = pixels(1, 3, 2, 64)
    found = Turn.of(places_of, x).applied(x)
    for axis in (0, 1):
        half = x[..., 32 * axis : 32 * axis + 32]
        numbers = torch.complex(half[..., :16], half[..., 16:])
        angles = places_of[:, axis, None] * 100 ** (-torch.arange(16) / 16)
        turned = numbers * torch.polar(torch.ones_like(angles), angles)[None, :, None]
        wanted = torch.cat([turned.real, turned.imag], dim=-1)
        assert torch.allclose(found[..., 32 * axis : 32 * axis + 32], wanted, atol=1e-5)


def test_followers_change_places_with_their_answers_and_all_views_count() -> None:
    trunk, _ = made(TINY)
    x = pixels(3, 3, 42, 56)
    found, swapped = trunk(x, "first"), trunk(x[[0, 2, 1]], "first")
    for one, other in zip((*found.cells, found.camera), (*swapped.cells, swapped.camera), strict=True):
        assert torch.allclose(one, other[[0, 2, 1]], atol=1e-4)
    changed = x.clone()
    changed[2] += 1
    assert not torch.allclose(trunk(changed, "first").cells[-1][0], found.cells[-1][0], atol=1e-2)


def test_views_come_back_in_their_order_whichever_leads() -> None:
    trunk, _ = made(TINY)
    x = pixels(3, 3, 42, 42)
    middle, first = trunk(x, "middle"), trunk(x[[1, 0, 2]], "first")
    for one, other in zip((*middle.cells, middle.camera), (*first.cells, first.camera), strict=True):
        assert torch.allclose(one, other[[1, 0, 2]], atol=1e-4)
    assert not torch.allclose(middle.cells[0], trunk(x, "first").cells[0], atol=1e-2)


def test_mono_models_see_every_picture_by_itself() -> None:
    trunk, _ = made(TINY_MONO)
    x = pixels(3, 3, 42, 42)
    assert torch.allclose(trunk(x).cells[3][1:2], trunk(x[1:2]).cells[3], atol=1e-5)


def test_the_leading_view_is_chosen_by_its_summary() -> None:
    angles, lengths = [0.5, 0.0, 0.2, 2.5], [1.0, 5.0, 3.0, 2.0]
    tokens = torch.tensor([[r * math.cos(a), r * math.sin(a), 0, 0] for a, r in zip(angles, lengths, strict=True)])
    assert leading(tokens, "first") == 0
    assert leading(tokens, "middle") == 2
    # Seen from 0 the others are cos 0.2 and cos 2.5 like it at the ends, 1.78 apart; from elsewhere they are closer.
    assert leading(tokens, "saddle_sim_range") == 1

    def ranged(measure: list[float]) -> list[float]:
        return [(each - min(measure)) / (max(measure) - min(measure)) for each in measure]

    likeness = [sum(math.cos(a - b) for b in angles) - 1 for a in angles]
    spread = [variance([math.cos(a), math.sin(a), 0, 0]) for a in angles]
    far = [sum(abs(x - 0.5) for x in each) for each in zip(*map(ranged, (likeness, lengths, spread)), strict=True)]
    assert leading(tokens, "saddle_balanced") == far.index(min(far)) == 2
    assert leading(tokens[:2], "middle") == 0
    assert led_by(4, 2) == [2, 0, 1, 3]
    assert undone([2, 0, 1, 3]) == [1, 2, 0, 3]


# ------------------------------------------------------------------------------------------------- maps and cameras


def test_places_are_waves_over_a_picture_whose_diagonal_is_two_long() -> None:
    found = places(8, 3, 4, aspect=2.0)
    assert found.shape == (8, 3, 4)
    end = 2 / math.sqrt(5) * 3 / 4  # the middle of the last of four columns
    for number, speed in enumerate((1, 1 / 10)):
        assert found[number, 1, 3] == pytest.approx(math.sin(end * speed), abs=1e-6)
        assert found[2 + number, 1, 0] == pytest.approx(math.cos(end * speed), abs=1e-6)
    assert found[4, 2, 0] == pytest.approx(math.sin(1 / math.sqrt(5) * 2 / 3), abs=1e-6)
    assert float(found[4, 1].abs().max()) == 0


def test_a_multi_view_model_answers_depth_confidence_and_rays() -> None:
    trunk, answers = made(TINY)
    maps = answers.maps(trunk(pixels(2, 3, 42, 56)), 1, 42, 56, with_rays=True)
    assert (maps.depth.shape, maps.sky) == ((42, 56), None)
    found = [each for each in (maps.depth, maps.confidence, maps.rays, maps.ray_confidence) if each is not None]
    assert [tuple(each.shape) for each in found] == [(42, 56), (42, 56), (24, 32, 6), (24, 32)]
    depth, confidence, _, ray_confidence = found
    assert depth.min() > 0
    assert min(confidence.min(), ray_confidence.min()) >= 1
    assert min(each.std() for each in found) > 1e-3
    assert answers.maps(trunk(pixels(2, 3, 42, 56)), 1, 42, 56).rays is None


def test_a_mono_model_answers_depth_and_sky() -> None:
    trunk, answers = made(TINY_MONO)
    maps = answers.maps(trunk(pixels(1, 3, 42, 56)), 0, 42, 56)
    assert maps.sky is not None
    assert maps.confidence is None
    assert maps.rays is None
    assert maps.sky.min() >= 0


def test_quaternions_turn_as_they_multiply() -> None:
    """v → q v q⁻¹, worked out with the product of quaternions; half a turn around z is the plain case."""
    assert torch.allclose(rotations(torch.tensor([[0.0, 0, 2, 0]]))[0], torch.diag(torch.tensor([-1.0, -1, 1])))

    def product(a: Tensor, b: Tensor) -> Tensor:
        u, s, v, t = a[:3], a[3], b[:3], b[3]
        return torch.cat([s * v + t * u + torch.linalg.cross(u, v), (s * t - u @ v)[None]])

    q, v = pixels(4), torch.tensor([0.3, -1.0, 2.0])
    back = torch.cat([-q[:3], q[3:]]) / (q @ q)
    wanted = product(product(q, torch.cat([v, torch.zeros(1)])), back)[:3]
    assert torch.allclose(rotations(q[None])[0] @ v, wanted, atol=1e-5)


def test_a_camera_token_becomes_a_camera() -> None:
    decoder = CameraDecoder(6).requires_grad_(False)
    for each in decoder.parameters():
        each.zero_()
    decoder.fc_t.bias.copy_(torch.tensor([1.0, 2, 3]))
    decoder.fc_qvec.bias.copy_(torch.tensor([0.0, 0, math.sin(math.pi / 4), math.cos(math.pi / 4)]))  # 90° around z
    decoder.fc_fov[0].bias.copy_(torch.tensor([math.pi / 2, math.pi / 3]))
    found = decoder(torch.zeros(1, 6), 40, 60)
    focal = 30 / math.tan(math.pi / 6)
    assert torch.allclose(found.intrinsics[0], torch.tensor([[focal, 0, 30], [0, 20, 20], [0, 0, 1.0]]), atol=1e-4)
    x = torch.tensor([1.0, 2, 3, 1]) + torch.tensor([0.0, 5, 0, 0])  # 5 along y from the camera is 5 along its x
    assert torch.allclose(found.extrinsics[0] @ x, torch.tensor([5.0, 0, 0]), atol=1e-5)


def rays_of(turned: Tensor, at: Tensor, focal: tuple[float, float], middle: tuple[float, float]) -> Tensor:
    """The rays of a camera whose focal lengths and middle are in halves of the picture's sides."""
    inner = torch.tensor([[focal[0], 0, middle[0]], [0, focal[1], middle[1]], [0, 0, 1]], dtype=torch.float64)
    points = torch.cat([grid(12, 16), torch.ones(192, 1, dtype=torch.float64)], dim=-1)
    directions = points @ (turned.double() @ inner.inverse()).T
    return torch.cat([directions, at.double().expand(192, 3)], dim=-1).view(12, 16, 6)


@pytest.mark.parametrize("middle", [(0.0, 0.0), (0.1, -0.2)])
def test_a_camera_is_found_again_from_its_rays(middle: tuple[float, float]) -> None:
    turned = rotations(torch.tensor([[0.1, -0.2, 0.3, 1.0], [0.0, 0, 0, 1]], dtype=torch.float64))
    at = torch.tensor([[1.0, -2, 0.5], [0, 0, 0]], dtype=torch.float64)
    rays = torch.stack([rays_of(*each, (1.5, 2.0), middle) for each in zip(turned, at, strict=True)])
    lengths = 0.5 + torch.rand(2, 12, 16, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rays[..., :3] *= lengths  # of no matter
    sure = torch.full((2, 12, 16), 5.0)
    rays[:, :3, :5, :3] = torch.tensor([3.0, -2.0, 0.4])  # some rays are wrong, and not sure of it
    sure[:, :3, :5] = 1.5
    found = from_rays(rays.float(), sure, 480, 640)
    wanted = torch.cat([turned.mT, -turned.mT @ at.unsqueeze(-1)], dim=-1).float()
    assert torch.allclose(found.extrinsics, wanted, atol=1e-4)
    inner = torch.tensor([[480.0, 0, 320 * (1 + middle[0])], [0, 480, 240 * (1 + middle[1])], [0, 0, 1]])
    assert torch.allclose(found.intrinsics, inner.expand(2, 3, 3), atol=0.05)
    again = from_rays(rays.float(), sure, 480, 640)
    assert torch.equal(found.extrinsics, again.extrinsics)


def test_rays_that_are_no_numbers_or_say_nothing_stop_nobody() -> None:
    """Whoever asked looks whether the answer is a number."""
    sure = torch.ones(1, 4, 5)
    assert from_rays(torch.full((1, 4, 5, 6), torch.nan), sure, 8, 10).extrinsics.isnan().all()
    for same in (torch.zeros(1, 4, 5, 6), torch.ones(1, 4, 5, 6)):
        assert from_rays(same, sure, 8, 10).intrinsics.shape == (1, 3, 3)
