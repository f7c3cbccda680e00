"""Files of models/controlnet in every layout, loaded and asked; against diffusers where it knows them."""

import logging
from dataclasses import replace

import pytest
import torch
from diffusers import ControlNetModel
from diffusers import T2IAdapter as DiffusersAdapter

from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.devices.deltas import Difference
from engine.devices.patches import Patch
from engine.devices.residency import Keeper
from engine.errors import CheckpointError, SamplingError
from engine.models.transformer import CrossAttention
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.values import Adapter, ControlLora, ControlNet
from tests.engine.models.nets import UNETS, apart, layout, randomised

X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
T = torch.tensor([3.0, 741.25])
HINT = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
# Heads of width 64, as every family after the first has them.
SDXL = {
    "block_out_channels": (32, 64, 128),
    "use_linear_projection": True,
    "cross_attention_dim": 48,
    "attention_head_dim": (1, 1, 2),
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 20 + 6 * 256,
    "conditioning_embedding_out_channels": (8, 16, 16, 32),
}
CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
NETS = {
    "sd1": {
        "block_out_channels": (32, 64, 128, 128),
        "cross_attention_dim": 48,
        "attention_head_dim": 8,
        "conditioning_embedding_out_channels": (8, 16, 16, 32),
    },
    "sdxl": {**SDXL, "down_block_types": (PLAIN, CROSS, CROSS), "transformer_layers_per_block": (1, 2, 3)},
    "sdxl mid": {**SDXL, "down_block_types": (PLAIN, CROSS, CROSS), "transformer_layers_per_block": (1, 1, 1)},
    "sdxl small": {**SDXL, "down_block_types": (PLAIN,) * 3, "mid_block_type": "UNetMidBlock2D"},
}


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks are slower with more, and other work shares the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def loader():
    return Loader()


def context(width=48):
    return torch.randn(2, 5, width, generator=torch.Generator().manual_seed(2))


def file(tensors, name="net.safetensors"):
    return in_memory(name, {key: tensor.detach() for key, tensor in tensors.items()})


def ldm_net(config=UNETS["sd1"], hint_channels=3, seed=0):
    """A ControlNet's weights under their first names."""
    from engine.models.controlnet import ControlNet as Network
    from engine.models.controlnet import ControlNetConfig

    net = randomised(Network(ControlNetConfig(config, hint_channels, (8, 16, 16, 32))), seed)
    return dict(net.state_dict())


@pytest.mark.parametrize("name", NETS)
def test_diffusers_files_agree_with_diffusers(loader, name):
    theirs = randomised(ControlNetModel(**NETS[name]), seed=5)
    ours = loader.controlnet(file(theirs.state_dict()))
    pooled = torch.randn(2, 20, generator=torch.Generator().manual_seed(4))
    sizes = torch.tensor([[64.0, 72.0, 0.0, 8.0, 64.0, 72.0]]).repeat(2, 1)
    added = {"text_embeds": pooled, "time_ids": sizes} if name != "sd1" else None
    with torch.inference_mode():
        waves = theirs.add_time_proj(sizes.flatten()).reshape(2, -1) if added else None
        y = None if waves is None else torch.cat([pooled, waves], dim=1)
        expected = theirs(X, T, context(), HINT, added_cond_kwargs=added)
    found = ours(X, HINT, T, context(), y)
    places = zip(found.input, expected.down_block_res_samples, strict=True)
    assert max(apart(mine, reference) for mine, reference in places) < 1e-4
    assert apart(found.middle, expected.mid_block_res_sample) < 1e-4
    assert ours.text_width == (None if name == "sdxl small" else 48)


def test_hints_may_have_other_channels(loader):
    net = loader.controlnet(file(ldm_net(hint_channels=5)))
    assert net.hint_channels == 5
    assert net(X, torch.rand(2, 5, 64, 64), T, context(24)).middle.shape == (2, 128, 1, 1)


# control-LoRA


@pytest.fixture
def unet():
    return randomised(UNet(UNETS["sd1"]), seed=6)


def control_lora(unet, rank=3, config=UNETS["sd1"]):
    """A control-LoRA of a denoiser, and the ControlNet that it stands for."""
    generator = torch.Generator().manual_seed(7)
    whole = ldm_net(config)
    base = {name: weight for name, weight in unet.state_dict().items() if name in whole}
    lora, merged = {"lora_controlnet": torch.zeros(0)}, dict(whole)
    for name, weight in base.items():
        if weight.ndim < 2:
            lora[name] = whole[name]  # biases and norms are complete
            continue
        module = name.removesuffix(".weight")
        up = torch.randn(len(weight), rank, *[1] * (weight.ndim - 2), generator=generator) * 0.02
        down = torch.randn(rank, *weight.shape[1:], generator=generator) * 0.02
        lora |= {f"{module}.up": up, f"{module}.down": down}
        merged[name] = weight + torch.einsum("ar,r...->a...", up.flatten(1), down)
    lora |= {name: weight for name, weight in whole.items() if name not in base}
    return lora, merged


def test_a_control_lora_is_the_controlnet_with_its_weights_merged(loader, unet):
    lora, merged = control_lora(unet)
    net = loader.controlnet(file(lora))
    assert isinstance(net, ControlLora)
    found = net.begun(unet)(X, HINT, T, context(24))
    # A ControlNet does not say how many heads it has; this denoiser has 4.
    whole = in_memory("merged", merged, {"latentwire": '{"unet_heads": 4}'})
    expected = loader.controlnet(whole)(X, HINT, T, context(24))
    places = zip((*found.input, found.middle), (*expected.input, expected.middle), strict=True)
    assert max(apart(mine, reference) for mine, reference in places) < 1e-4


def test_a_control_lora_grows_from_weights_that_come_when_they_are_read(loader):
    unet = randomised(UNet(UNetConfig(model_channels=32, context_width=768, heads=4)), seed=6)
    lora, _ = control_lora(unet, config=unet.config)
    model = model_of(loader, unet, torch.float16)
    net = loader.controlnet(file(lora))
    with model.ready() as network:
        expected = net.begun(network)(X, HINT, T, context(768)).middle
    small = Loader(keeper=Keeper(budget=1 << 20))
    model = model_of(small, unet, torch.float16)
    with model.ready() as network:
        assert any(weight.is_meta for weight in network.parameters())
        found = small.controlnet(file(lora)).begun(network)(X, HINT, T, context(768)).middle
    assert apart(found, expected) < 1e-4


def test_a_control_lora_of_another_family_names_the_weight(loader, unet):
    lora, _ = control_lora(randomised(UNet(UNETS["sd2"])))
    with pytest.raises(CheckpointError, match=r"net\.safetensors: made for another model family; .*to_k"):
        loader.controlnet(file(lora)).begun(unet)


def test_half_of_a_change_is_named(loader, unet):
    lora, _ = control_lora(unet)
    del lora["time_embed.0.down"]
    with pytest.raises(CheckpointError, match=r"time_embed\.0\.down is missing beside time_embed\.0\.up"):
        loader.controlnet(file(lora)).begun(unet)


def test_a_control_lora_cannot_be_asked_before_it_has_begun(loader, unet):
    with pytest.raises(SamplingError, match="can only draw with the denoiser of a run"):
        loader.controlnet(file(control_lora(unet)[0]))(X, HINT, T, context(24))


# difference


def model_of(loader, unet, dtype=torch.float32):
    tensors = {f"model.diffusion_model.{name}": weight.to(dtype) for name, weight in unet.state_dict().items()}
    named = in_memory("m", {name: each.detach() for name, each in tensors.items()}, {"latentwire": '{"unet_heads": 4}'})
    return loader.checkpoint(named).model


def test_a_difference_becomes_whole_on_its_model_with_what_patches_it(loader, caplog):
    unet = randomised(UNet(UNetConfig(model_channels=32, context_width=768, heads=4)), seed=6)
    model = model_of(loader, unet)
    key = "input_blocks.1.0.in_layers.2.weight"
    patch = {key: (Patch(Difference(torch.full((32, 32, 3, 3), 0.01)), 2.0),)}
    whole = ldm_net(UNetConfig(model_channels=32, context_width=768, heads=4))
    base = {name: weight for name, weight in unet.state_dict().items() if name in whole}
    told = {f"control_model.{name}": weight - base.get(name, 0) for name, weight in whole.items()}
    told[f"control_model.{key}"] = told[f"control_model.{key}"] - 0.02
    given = file({**told, "difference": torch.zeros(0)})
    net = loader.controlnet(given, model.with_patches(patch))
    assert not caplog.records
    assert all(torch.allclose(net.part.weights[name], whole[name], atol=1e-5) for name in whole)
    with caplog.at_level(logging.WARNING):
        loader.controlnet(given)
    assert "only the difference to its base model" in caplog.text


def test_a_difference_to_another_model_names_the_weight(loader):
    model = model_of(loader, UNet(UNetConfig(model_channels=64, context_width=768, heads=4)))
    told = {f"control_model.{name}": weight for name, weight in ldm_net().items()}
    with pytest.raises(CheckpointError, match=r"difference to another model; its \S+ is \[.*\], the model's \["):
        loader.controlnet(file({**told, "difference": torch.zeros(0)}), model)


# adapters


@pytest.mark.parametrize("wrapping", ["", "adapter."])
def test_an_adapter_is_asked_with_a_hint_alone(loader, wrapping):
    theirs = randomised(DiffusersAdapter(channels=[32, 64, 128, 128], in_channels=1))
    named = {wrapping + name.removeprefix("adapter."): each for name, each in theirs.state_dict().items()}
    net = loader.controlnet(file(named))
    assert isinstance(net, Adapter)
    assert (net.hint_channels, net.hint_size(8, 9)) == (1, (64, 72))
    found = net(X, HINT)
    with torch.inference_mode():
        expected = theirs(HINT.mean(dim=1, keepdim=True))
    assert [place for place, each in enumerate(found.encoder) if each is not None] == [2, 5, 8, 11]
    for place, feature in zip((2, 5, 8, 11), expected, strict=True):
        assert apart(found.encoder[place], feature) < 1e-4


@pytest.mark.parametrize(("kind", "family"), [("full_adapter", "sdxl"), ("full_adapter_xl", "sd1")])
def test_an_adapter_of_another_family_is_refused_when_a_run_begins(loader, kind, family):
    fold = 16 if kind.endswith("xl") else 8
    theirs = DiffusersAdapter(channels=[32, 64, 128, 128], downscale_factor=fold, adapter_type=kind)
    net = loader.controlnet(file(theirs.state_dict()))
    assert net.hint_size(9, 8) == ((80, 64) if fold == 16 else (72, 64))
    with torch.device("meta"):
        other, own = UNet(UNETS[family]), UNet(UNETS["sd1" if family == "sdxl" else "sdxl"])
    with pytest.raises(SamplingError, match="made for another model family"):
        net.begun(other)
    assert net.begun(own) is net


def test_a_controlnet_of_another_family_is_refused_when_a_run_begins(loader):
    net = loader.controlnet(file(ldm_net()))
    with torch.device("meta"):
        other = UNet(UNETS["sdxl"])
    with pytest.raises(SamplingError, match=r"adds to blocks of 32, 32, 32, 32, 64.*this denoiser has 32, 32"):
        net.begun(other)


# kinds of hints


def test_only_a_union_net_is_told_the_kind_of_its_hint(loader, caplog):
    single = loader.controlnet(file(ldm_net()))
    assert isinstance(single, ControlNet)
    with caplog.at_level(logging.WARNING):
        assert single.of_kind() is single
        assert not caplog.records
        assert single.of_kind(3) is single
    assert "knows only one kind of hint" in caplog.text


# what is none


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"controlnet_x_embedder.weight": 1}, "a ControlNet of Flux, which is not supported yet"),
        ({"position_net.null_positive_feature": 1}, r"a GLIGEN; put it in models/gligen.*, not a ControlNet"),
        ({"lora_unet_x.lora_up.weight": 1}, r"a LoRA; put it in models/loras.*, not a ControlNet"),
        ({"decoder.conv_in.weight": 1}, r"an autoencoder; .*, not a ControlNet"),
        ({"something": 1}, "of an unknown kind, not a ControlNet; expected tensors such as zero_convs.0.0.weight"),
    ],
)
def test_what_is_no_controlnet_is_named(loader, tensors, reason):
    with pytest.raises(CheckpointError, match=reason):
        loader.controlnet(file({name: torch.zeros(size) for name, size in tensors.items()}))


def test_a_checkpoint_is_no_controlnet(loader):
    names = {f"model.diffusion_model.{name}": each for name, each in UNet(UNETS["sd1"]).state_dict().items()}
    with pytest.raises(CheckpointError, match="a checkpoint, not a ControlNet"):
        loader.controlnet(file(names))


def test_missing_and_misshapen_tensors_are_named(loader):
    weights = ldm_net()
    del weights["zero_convs.3.0.weight"]
    weights["middle_block_out.0.bias"] = torch.zeros(7)
    with pytest.raises(CheckpointError) as caught:
        loader.controlnet(file(weights))
    assert "zero_convs.3.0.weight is missing" in str(caught.value)
    assert "middle_block_out.0.bias is [7], not [128]" in str(caught.value)


def test_an_adapter_of_unknown_proportions_names_its_file(loader):
    tensors = {name: torch.zeros(shape) for name, shape in layout("t2i_adapter_sd15").items()}
    grey = {**tensors, "conv_in.weight": torch.zeros(320, 100, 3, 3)}
    with pytest.raises(CheckpointError, match=r"net\.safetensors: a T2I-Adapter of 100 folded channels, expected a mu"):
        loader.controlnet(file(grey))
    cut = {name: each for name, each in tensors.items() if not name.startswith("body.7.")}
    with pytest.raises(CheckpointError, match=r"net\.safetensors: a T2I-Adapter of 7 blocks"):
        loader.controlnet(file(cut))


def test_sd2s_controlnets_attend_in_float32(loader):
    net = loader.controlnet(file(ldm_net(replace(UNETS["sd2"], model_channels=64, context_width=1024))))
    assert all(each.float32 for each in net.part.module.modules() if isinstance(each, CrossAttention))
    assert net(X, HINT, T, context(1024)).middle.isfinite().all()


def test_an_adapter_with_a_misshapen_tensor_is_named(loader):
    tensors = {name: torch.zeros(shape) for name, shape in layout("t2i_adapter_sd15").items()}
    tensors["body.3.block2.bias"] = torch.zeros(3)
    with pytest.raises(CheckpointError, match=r"the T2I-Adapter is incomplete.*body\.3\.block2\.bias is \[3\]"):
        loader.controlnet(file(tensors))
