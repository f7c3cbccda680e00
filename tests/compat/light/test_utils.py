"""comfy.utils against torch, Pillow, safetensors and diffusers themselves."""

import json

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import interpolate

from compat.host import Host
from engine.errors import Cancelled, CheckpointError
from engine.graph.events import Preview, Progress
from engine.graph.run import Run

torch.manual_seed(0)


@pytest.fixture
def utils(host: Host):
    import comfy.utils

    return comfy.utils


# ------------------------------------------------------------------------------------------------------ weights files


def test_safetensors_are_read_with_their_metadata(utils, tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"w": torch.ones(2)}, path, metadata={"ss": "1"})
    assert utils.load_torch_file(str(path))["w"].tolist() == [1, 1]
    tensors, metadata = utils.load_torch_file(str(path), safe_load=True, return_metadata=True)
    assert (list(tensors), metadata) == (["w"], {"ss": "1"})
    assert json.loads(utils.safetensors_header(str(path)))["w"]["shape"] == [2]
    assert utils.safetensors_header(str(path), max_size=8) is None


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"state_dict": {"a": torch.zeros(1)}, "epoch": 3}, ["a"]),
        ({"params": {"b": torch.zeros(1)}}, ["b"]),
        ({"image_proj": {"c": torch.zeros(1)}, "ip_adapter": {}}, ["image_proj", "ip_adapter"]),
        ({"d": torch.zeros(1)}, ["d"]),
    ],
)
def test_the_wrapping_of_training_frameworks_is_taken_off(utils, tmp_path, content, names):
    torch.save(content, tmp_path / "a.pth")
    tensors, metadata = utils.load_torch_file(str(tmp_path / "a.pth"), return_metadata=True)
    assert (list(tensors), metadata) == (names, None)


def test_a_file_that_runs_code_is_refused(utils, tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"w": Evil()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="code"):
        utils.load_torch_file(str(tmp_path / "a.pt"))


def test_tensors_are_saved_with_metadata(utils, tmp_path):
    path = tmp_path / "out.safetensors"
    utils.save_torch_file({"w": torch.arange(6.0).reshape(2, 3).T}, str(path), metadata={"prompt": "{}"})
    assert torch.equal(load_file(path)["w"], torch.arange(6.0).reshape(2, 3).T)
    assert utils.load_torch_file(path, return_metadata=True)[1]["prompt"] == "{}"


# -------------------------------------------------------------------------------------------------------- state dicts


def test_state_dicts_are_counted_and_renamed(utils):
    sd = {"a.w": torch.zeros(3, dtype=torch.float16), "a.b": torch.zeros(2, dtype=torch.float32), "b.w": torch.zeros(9)}
    assert utils.calculate_parameters(sd) == 14
    assert utils.calculate_parameters(sd, "a.") == 5
    assert utils.weight_dtype(sd, "a.") == torch.float16
    assert utils.weight_dtype(sd, "none.") is None
    taken = utils.state_dict_prefix_replace(sd, {"a.": "x."}, filter_keys=True)
    assert (list(taken), list(sd)) == (["x.w", "x.b"], ["b.w"])
    assert utils.state_dict_prefix_replace(sd, {"b.": ""}) is sd
    assert list(sd) == ["w"]
    assert list(utils.state_dict_key_replace(sd, {"w": "v", "missing": "n"})) == ["v"]


def test_an_open_clip_text_encoder_becomes_transformers(utils):
    """Against transformers: every name is one of its own, and the attention's thirds are where it wants them."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    width = 8
    config = CLIPTextConfig(
        hidden_size=width, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, vocab_size=10,
        max_position_embeddings=5, projection_dim=6,
    )  # fmt: skip
    theirs = CLIPTextModelWithProjection(config).state_dict()
    block = {"ln_1": (8,), "ln_2": (8,), "mlp.c_fc": (16, 8), "mlp.c_proj": (8, 16), "attn.out_proj": (8, 8)}
    sd = {"m.positional_embedding": torch.randn(5, 8), "m.token_embedding.weight": torch.randn(10, 8)}
    sd |= {
        "m.ln_final.weight": torch.randn(8),
        "m.ln_final.bias": torch.randn(8),
        "m.text_projection": torch.randn(8, 6),
    }
    for i in range(2):
        for name, shape in block.items():
            sd[f"m.transformer.resblocks.{i}.{name}.weight"] = torch.randn(*shape)
            sd[f"m.transformer.resblocks.{i}.{name}.bias"] = torch.randn(shape[0])
        sd[f"m.transformer.resblocks.{i}.attn.in_proj_weight"] = torch.randn(24, 8)
        sd[f"m.transformer.resblocks.{i}.attn.in_proj_bias"] = torch.randn(24)
    joined, projection = sd["m.transformer.resblocks.1.attn.in_proj_weight"], sd["m.text_projection"]
    made = utils.clip_text_transformers_convert(sd, "m.", "t.")
    wanted = {f"t.text_model.{name.removeprefix('text_model.')}" for name in theirs if "text_projection" not in name}
    assert {name: tuple(made[name].shape) for name in made} == {
        **{name: tuple(made[name].shape) for name in wanted if "position_ids" not in name},
        "t.text_projection.weight": (6, 8),
    }
    assert torch.equal(made["t.text_projection.weight"], projection.T)
    assert torch.equal(made["t.text_model.encoder.layers.1.self_attn.k_proj.weight"], joined[8:16])


DIFFUSERS_CONFIGS = {
    "sd1": (
        {"num_res_blocks": [2, 2], "channel_mult": [1, 2], "transformer_depth": [1, 1, 0, 0],
         "transformer_depth_middle": 1, "transformer_depth_output": [1, 1, 1, 0, 0, 0]},
        {"down": ("CrossAttnDownBlock2D", "DownBlock2D"), "up": ("UpBlock2D", "CrossAttnUpBlock2D"), "depth": 1},
    ),
    "sdxl": (
        {"num_res_blocks": 2, "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 3, 3],
         "transformer_depth_middle": 3, "transformer_depth_output": [0, 0, 0, 2, 2, 2, 3, 3, 3]},
        {"down": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
         "up": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), "depth": (1, 2, 3)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFUSERS_CONFIGS)
def test_a_unets_names_are_diffusers_own(utils, name):
    """Against diffusers: every tensor of its UNet is translated, and two go nowhere together."""
    from diffusers import UNet2DConditionModel

    from engine.models.unet import UNet
    from engine.models.unet_config import UNetConfig

    config, shape = DIFFUSERS_CONFIGS[name]
    with torch.device("meta"):
        theirs = UNet2DConditionModel(
            block_out_channels=tuple(32 * each for each in config["channel_mult"]),
            down_block_types=shape["down"], up_block_types=shape["up"], transformer_layers_per_block=shape["depth"],
            cross_attention_dim=16, attention_head_dim=8, layers_per_block=2,
        ).state_dict()  # fmt: skip
        ours = UNet(
            UNetConfig(
                model_channels=32, channel_multipliers=tuple(config["channel_mult"]),
                res_blocks=(2,) * len(shape["up"]),
                input_depths=tuple(config["transformer_depth"]), middle_depth=config["transformer_depth_middle"],
                output_depths=tuple(reversed(config["transformer_depth_output"])), context_width=16,
            )
        ).state_dict()  # fmt: skip
    names = utils.unet_to_diffusers(config)
    assert not theirs.keys() - names.keys()
    assert {names[each] for each in theirs} == set(ours)
    for each, tensor in theirs.items():
        assert tensor.shape == ours[names[each]].shape, each


def test_a_pair_that_a_plugin_adds_is_translated(utils):
    pair = ("input_blocks.0.1.weight", "conv_in_condition.weight")
    utils.UNET_MAP_BASIC.add(pair)
    try:
        assert utils.unet_to_diffusers(DIFFUSERS_CONFIGS["sd1"][0])[pair[1]] == pair[0]
    finally:
        utils.UNET_MAP_BASIC.discard(pair)


def test_other_networks_have_no_diffusers_names(utils):
    assert utils.unet_to_diffusers({"image_model": "flux"}) == {}


# --------------------------------------------------------------------------------------------------------- attributes


def test_attributes_are_reached_by_dotted_names(utils):
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 3)))
    weight = utils.get_attr(net, "1.0.weight")
    assert weight is net[1][0].weight
    assert utils.set_attr(net, "1.0.weight", nn.Parameter(torch.zeros(3, 2))) is weight
    utils.set_attr_param(net, "0.weight", torch.ones(2, 2))
    assert net[0].weight.tolist() == [[1, 1], [1, 1]]
    assert not net[0].weight.requires_grad
    kept = net[0].weight
    utils.copy_to_param(net, "0.weight", torch.full((2, 2), 3.0))
    assert net[0].weight is kept
    assert kept[0, 0] == 3


# ----------------------------------------------------------------------------------------------------------- resizing


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic"])
def test_resizing_is_torchs(utils, method):
    x = torch.rand(2, 3, 7, 9)
    assert torch.equal(utils.common_upscale(x, 5, 11, method, "disabled"), interpolate(x, size=(11, 5), mode=method))


def test_a_centre_crop_comes_first(utils):
    x = torch.rand(1, 3, 8, 16)
    assert torch.equal(utils.common_upscale(x, 4, 4, "area", "center"), interpolate(x[..., 4:12], (4, 4), mode="area"))


def test_lanczos_is_pillows(utils):
    x = torch.rand(1, 3, 8, 10)
    pixels = (x[0].movedim(0, -1) * 255).to(torch.uint8).numpy()
    wanted = numpy.asarray(Image.fromarray(pixels).resize((5, 6), Image.Resampling.LANCZOS)) / 255
    assert numpy.allclose(utils.lanczos(x, 5, 6)[0].movedim(0, -1), wanted, atol=1e-6)
    assert torch.equal(utils.common_upscale(x, 5, 6, "lanczos", "disabled"), utils.lanczos(x, 5, 6))


def test_bislerp_keeps_the_length_of_turning_vectors(utils):
    angles = torch.tensor([0.0, torch.pi / 2])
    x = torch.stack([angles.cos(), angles.sin()])[None, :, None] * 2  # two unit directions, twice as long
    lengths = utils.bislerp(x, 8, 1).norm(dim=1)
    assert torch.allclose(lengths, torch.full_like(lengths, 2.0), atol=1e-5)


def test_frames_are_resized_one_by_one(utils):
    x = torch.rand(1, 4, 3, 6, 6)
    made = utils.common_upscale(x, 3, 3, "area", "disabled")
    assert torch.equal(made[:, :, 1], interpolate(x[:, :, 1], (3, 3), mode="area"))


def test_batches_are_repeated_cut_and_spread(utils):
    x = torch.arange(3.0)[:, None]
    assert utils.repeat_to_batch_size(x, 5)[:, 0].tolist() == [0, 1, 2, 0, 1]
    assert utils.repeat_to_batch_size(x, 2)[:, 0].tolist() == [0, 1]
    assert utils.repeat_to_batch_size(x.T, 4, dim=1)[0].tolist() == [0, 1, 2, 0]
    assert utils.resize_to_batch_size(x, 6)[:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_mask_takes_a_latents_shape(utils):
    mask = torch.rand(8, 8)
    made = utils.reshape_mask(mask, (2, 4, 4, 4))
    assert made.shape == (2, 4, 4, 4)
    assert torch.equal(made[1, 3], interpolate(mask[None, None], (4, 4), mode="bilinear")[0, 0])
    assert utils.reshape_mask(mask, (1, 4, 3, 4, 4)).shape == (1, 4, 3, 4, 4)


# -------------------------------------------------------------------------------------------------------------- tiles


def test_tiles_of_a_local_function_are_seamless(utils):
    x = torch.rand(2, 3, 70, 90)
    seen = []

    class Bar:
        def update(self, value):
            seen.append(value)

    made = utils.tiled_scale(x, lambda t: interpolate(t, scale_factor=2, mode="nearest"), 32, 24, 8, 2, 3, pbar=Bar())
    assert torch.allclose(made, interpolate(x, scale_factor=2, mode="nearest"), atol=1e-6)
    assert sum(seen) == 2 * utils.get_tiled_scale_steps(90, 70, 32, 24, 8)


def test_overlaps_fade_linearly(utils):
    """Two tiles of 12 with 4 in common, the answers 0 and 1: between them the second's share of the weights."""
    answers = iter([torch.zeros(1, 1, 4, 12), torch.ones(1, 1, 4, 12)])
    made = utils.tiled_scale(torch.zeros(1, 1, 4, 20), lambda t: next(answers), 12, 12, 4, 1, 1)[0, 0, 0]
    rising, falling = torch.tensor([1, 2, 3, 4]) / 4, torch.tensor([4, 3, 2, 1]) / 4
    assert torch.allclose(made[8:12], rising / (rising + falling))
    assert made[:8].unique().tolist() == [0]
    assert made[12:].unique().tolist() == [1]


def test_tiles_in_one_and_three_dimensions_and_downwards(utils):
    sound = torch.rand(1, 2, 100)
    made = utils.tiled_scale_multidim(sound, lambda t: t.repeat_interleave(4, -1), (32,), 8, 4, 2)
    assert torch.allclose(made, sound.repeat_interleave(4, -1), atol=1e-6)
    clip = torch.rand(1, 1, 8, 16, 16)
    made = utils.tiled_scale_multidim(
        clip, lambda t: interpolate(t, scale_factor=(1, 0.5, 0.5), mode="nearest"), (4, 8, 8), (2, 4, 4), (1, 2, 2), 1,
        downscale=True,
    )  # fmt: skip
    assert torch.allclose(made, clip[..., ::2, ::2], atol=1e-6)


def test_a_dimension_may_have_its_own_formula(utils):
    """A causal video decoder: T latents become 4T - 3 frames, a tile beginning at t at frame 4t."""
    frames = torch.arange(9.0).reshape(1, 1, 9, 1, 1)

    def decode(t):
        return torch.cat([t[:, :, :1], t[:, :, 1:].repeat_interleave(4, 2)], dim=2)

    made = utils.tiled_scale_multidim(
        frames, decode, (9, 1, 1), (0, 0, 0), (lambda t: 4 * t - 3, 1, 1), 1, index_formulas=(4, 1, 1)
    )
    assert made.shape == (1, 1, 33, 1, 1)


# ----------------------------------------------------------------------------------------------------------- progress


def test_a_bar_tells_the_running_node_and_shows_its_preview(utils, host: Host):
    told = []
    picture = Image.new("RGB", (64, 32), "red")
    with host.node(Run("7", told.append)):
        bar = utils.ProgressBar(4)
        bar.update(1)
        bar.update_absolute(3, 5, ("JPEG", picture, 16))
        utils.ProgressBar(2, node_id="9").update(1)
    assert [(each.node, each.value, each.maximum) for each in told if isinstance(each, Progress)] == [
        ("7", 1, 4),
        ("7", 3, 5),
        ("9", 1, 2),
    ]
    (preview,) = [each for each in told if isinstance(each, Preview)]
    assert preview.data.startswith(b"\xff\xd8")
    assert preview.is_asked  # the author passed it
    assert (bar.current, bar.total) == (3, 5)


def test_a_bar_outside_of_a_prompt_harms_nobody(utils):
    utils.ProgressBar(3).update(2)


def test_a_bar_ends_a_stopped_prompt(utils, host: Host):
    with host.node(Run("7", lambda event: None, lambda: True)), pytest.raises(Cancelled):
        utils.ProgressBar(3).update(1)


def test_another_hook_is_told_instead(utils):
    told = []
    before = utils.PROGRESS_BAR_HOOK
    utils.set_progress_bar_global_hook(lambda value, total, preview, node_id=None: told.append((value, total, node_id)))
    try:
        utils.ProgressBar(3, node_id="1").update(2)
    finally:
        utils.set_progress_bar_global_hook(before)
    assert told == [(2, 3, "1")]


def test_bars_of_samplers_can_be_turned_off(utils):
    utils.set_progress_bar_enabled(False)
    assert utils.PROGRESS_BAR_ENABLED is False
    utils.set_progress_bar_enabled(True)
    assert utils.PROGRESS_BAR_ENABLED is True


def test_latents_of_several_kinds_travel_together(utils):
    video, sound = torch.rand(2, 4, 3, 5, 5), torch.rand(2, 8, 10)
    packed, shapes = utils.pack_latents([video, sound])
    assert packed.shape == (2, 1, 4 * 75 + 80)
    assert all(torch.equal(a, b) for a, b in zip(utils.unpack_latents(packed, shapes), [video, sound], strict=True))
