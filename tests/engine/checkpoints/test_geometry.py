"""Files of Depth Anything 3: every published layout is known, and what is none is named."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoints import geometry
from engine.checkpoints.tensors import in_memory, open_tensors
from engine.devices.device import Devices
from engine.devices.residency import Keeper
from engine.errors import CheckpointError
from engine.models.depth_anything.config import TRUNK, DepthAnythingConfig
from engine.models.depth_anything.heads import Answers
from engine.models.depth_anything.trunk import DinoV2
from engine.pictures.depth import DepthModel
from tests import depth_files
from tests.depth_files import BASE, GIANT, LARGE, MONO, SMALL, TINY, TINY_MONO, Layout


def loaded(tensors: Mapping[str, Tensor], stored: torch.dtype | None = None) -> DepthModel:
    return geometry.depth_model(in_memory("depth.safetensors", tensors), Devices(), Keeper(), stored)


def refusal(tensors: Mapping[str, Tensor]) -> str:
    with pytest.raises(CheckpointError) as caught:
        loaded(tensors)
    assert str(caught.value).startswith("depth.safetensors: ")
    return str(caught.value)


@pytest.mark.parametrize(
    ("layout", "kind", "views_from", "taken_from"),
    [
        (SMALL, "Small", 4, (5, 7, 9, 11)),
        (BASE, "Base", 4, (5, 7, 9, 11)),
        (LARGE, "Large", 8, (11, 15, 19, 23)),
        (GIANT, "Giant", 13, (19, 27, 33, 39)),
        (MONO, "Mono-Large or Metric-Large", None, (4, 11, 17, 23)),
    ],
)
def test_a_published_layout_is_known_by_names_and_shapes(
    layout: Layout, kind: str, views_from: int | None, taken_from: tuple[int, ...]
) -> None:
    """Every weight of the networks has its place in the file, and of the file nothing is left but ends nobody asks."""
    shapes = depth_files.names(layout)
    config = DepthAnythingConfig.from_shapes(shapes)
    assert (config.kind, config.views_from, config.taken_from) == (kind, views_from, taken_from)
    assert config.has_sky == (views_from is None)
    assert config.has_camera == (views_from is not None)
    with torch.device("meta"):
        trunk, answers = DinoV2(config), Answers(config)
    wanted = {f"{TRUNK}{name}": tuple(each.shape) for name, each in trunk.named_parameters()}
    norm, shared = "output_conv2_aux.3.2.", "output_conv2_aux.0.2."
    wanted |= {name.replace(norm, shared): tuple(each.shape) for name, each in answers.named_parameters()}
    assert {name: shapes.get(name) for name in wanted} == wanted
    spare = [name for name in shapes if name not in wanted and not name.startswith("cam_enc.")]
    assert all("_aux." in name and "_aux.3." not in name for name in spare), spare


@pytest.mark.parametrize("layout", [TINY, TINY_MONO])
@pytest.mark.parametrize("prefix", ["model.", ""])
def test_a_file_is_loaded_with_its_prefix_or_without(layout: Layout, prefix: str, tmp_path: Path) -> None:
    tensors = depth_files.tensors(layout, prefix)
    save_file(tensors, tmp_path / "depth.safetensors")
    model = geometry.depth_model(open_tensors(tmp_path / "depth.safetensors"), Devices(), Keeper())
    assert model.config == loaded(tensors).config
    with model.keeper.using(model.trunk) as trunk, model.keeper.using(model.answers) as answers:
        assert torch.equal(trunk.blocks[3].ls1.gamma, tensors[f"{prefix}{TRUNK}blocks.3.ls1.gamma"])
        if layout is TINY:
            norm = answers.head.scratch.output_conv2_aux["3"][2].weight
            assert torch.equal(norm, tensors[f"{prefix}head.scratch.output_conv2_aux.0.2.weight"])


def test_weights_rest_in_the_format_asked_for_and_what_reads_them_is_exact() -> None:
    card = Devices(main=torch.device("cuda"), half=(torch.float16, torch.bfloat16))
    file = in_memory("depth.safetensors", depth_files.tensors(TINY))
    for stored, computed in ((None, torch.float32), (torch.float16, torch.float16), (torch.bfloat16, torch.bfloat16)):
        model = geometry.depth_model(file, card, Keeper(), stored)
        assert {each.dtype for each in model.trunk.weights.stored.values()} == {stored or torch.float32}
        assert (model.trunk.place.dtype, model.answers.place.dtype) == (computed, torch.float32)
        assert geometry.depth_model(file, Devices(), Keeper(), stored).trunk.place.dtype == torch.float32
    asked = replace(card, network_precision="fp16")
    assert geometry.depth_model(file, asked, Keeper()).trunk.place.dtype == torch.float16


def test_what_is_no_depth_anything_3_is_named() -> None:
    zero = torch.zeros(1)
    assert "not Depth Anything 3; expected tensors such as backbone.pretrained.patch_embed.proj.weight, got a, b" in (
        refusal({"a": zero, "b": zero})
    )
    assert "it is Depth Anything 1 or 2; expected" in refusal({"depth_head.scratch.layer1_rn.weight": zero})
    assert "it is a checkpoint; put it in models/checkpoints" in refusal({"model.diffusion_model.out.0.weight": zero})
    assert "a nested Depth Anything 3" in refusal({f"model.da3.{TRUNK}patch_embed.proj.weight": zero})


def test_a_damaged_file_is_named_with_what_is_wrong() -> None:
    whole = depth_files.tensors(TINY)
    key = f"model.{TRUNK}blocks.2.attn.qkv.weight"
    nan = {**whole, key: whole[key] * torch.nan}
    assert "blocks.2.attn.qkv.weight is missing" in refusal({name: each for name, each in whole.items() if name != key})
    assert "blocks.2.attn.qkv.weight is [3], not [384, 128]" in refusal({**whole, key: torch.zeros(3)})
    assert "blocks.2.attn.qkv.weight holds values that are no numbers" in refusal(nan)
    no_cells = {name: each for name, each in whole.items() if not name.endswith("pos_embed")}
    assert "missing: 'backbone.pretrained.pos_embed'" in refusal(no_cells)


def test_a_network_of_no_known_kind_is_refused_with_the_reason() -> None:
    whole = depth_files.tensors(TINY)
    no_rays = {name: each for name, each in whole.items() if "_aux" not in name}
    assert "it has a camera token but no head for rays: neither a multi-view model" in refusal(no_rays)
    no_norms = {name: each for name, each in whole.items() if "q_norm" not in name}
    assert "no block normalises its queries (attn.q_norm.weight)" in refusal(no_norms)
    late = depth_files.tensors(replace(TINY, views_from=4))
    assert "look at each other from block 4 on; expected a block from 1 to 2" in refusal(late)
    assert "a vision transformer of 3 blocks" in refusal(depth_files.tensors(replace(TINY_MONO, depth=3)))
