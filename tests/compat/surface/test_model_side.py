"""Members of comfy's modules about models that at least two packs use, checked against the engine or a closed form."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compat.install  # noqa: F401
from engine.devices.deltas import LowRank
from engine.models import latent_format
from engine.sampling.betas import BetaSchedule
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable

LAYOUTS = Path(__file__).resolve().parents[2] / "data" / "checkpoint_layouts"


@pytest.fixture(autouse=True)
def _names(host: Any) -> None:
    """ComfyUI's module names are there."""


def sampling(speech: str, schedule: str = "ModelSamplingDiscrete", config: Any = None) -> Any:
    import comfy.model_sampling as ms

    return type("M", (getattr(ms, schedule), getattr(ms, speech)), {})(config)


@pytest.mark.parametrize(
    ("speech", "kind"),
    [("EPS", "eps"), ("V_PREDICTION", "v"), ("EDM", "edm"), ("X0", "x0"), ("IMG_TO_IMG", "img_to_img")],
)
def test_ways_of_speaking_agree_with_the_engines(speech: str, kind: Any) -> None:
    ours = Prediction(kind, SigmaTable.from_betas())
    theirs = sampling(speech)
    x, answer, noise = (torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(i)) for i in range(3))
    for level in (0.03, 1.0, 14.0):
        sigma = torch.tensor(level)
        both = sigma.expand(2)
        assert torch.allclose(theirs.calculate_input(both, x), ours.scaled_input(x, sigma), atol=1e-6)
        got = theirs.calculate_denoised(both, answer, x)
        assert torch.allclose(got, ours.denoised(answer, x, sigma), atol=1e-5)
        assert torch.equal(theirs.timestep(both).float(), ours.timestep(both))
        assert torch.allclose(theirs.noise_scaling(both, noise, x), ours.noised(x, noise, sigma), atol=1e-5)
    top = theirs.sigma_max.expand(2)
    assert torch.allclose(theirs.noise_scaling(top, noise, x, True), ours.start(x, noise, theirs.sigma_max), atol=1e-4)


@pytest.mark.parametrize("zsnr", [False, True])
def test_the_discrete_table_is_the_engines(zsnr: bool) -> None:
    import comfy.model_sampling as ms

    theirs = ms.ModelSamplingDiscrete(None, zsnr=zsnr)
    ours = SigmaTable.from_betas(BetaSchedule(zero_terminal_snr=zsnr))
    assert torch.allclose(theirs.sigmas, ours.sigmas, rtol=1e-6)
    assert theirs.num_timesteps == 1000
    for percent in (0.0, 0.2, 0.7, 1.0):
        expected = min(ours.at_percent(percent), 999999999.9)
        assert theirs.percent_to_sigma(percent) == pytest.approx(expected, rel=1e-5)
    times = torch.tensor([0.0, 12.5, 998.7])
    assert torch.allclose(theirs.sigma(times), ours.sigma(times), rtol=1e-5)
    assert float(theirs.sigma_min) == pytest.approx(0.0292, abs=1e-4)


def test_flows_agree_with_the_engines() -> None:
    theirs = sampling("CONST", "ModelSamplingDiscreteFlow")
    theirs.set_parameters(shift=3.0, multiplier=1000)
    ours = Prediction("flow", SigmaTable.from_flow(3.0))
    assert torch.allclose(theirs.sigmas, ours.table.sigmas, rtol=1e-5)
    x, answer, noise = (torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(i)) for i in range(3))
    sigma = torch.tensor(0.7)
    both = sigma.expand(2)
    assert torch.equal(theirs.timestep(both), ours.timestep(both))
    assert torch.allclose(theirs.calculate_denoised(both, answer, x), ours.denoised(answer, x, sigma))
    assert torch.allclose(theirs.noise_scaling(both, noise, x), ours.start(x, noise, sigma))
    assert torch.allclose(theirs.inverse_noise_scaling(both, x), ours.end(x, sigma))
    for percent in (0.0, 0.4, 1.0):
        assert theirs.percent_to_sigma(percent) == pytest.approx(ours.table.at_percent(percent), rel=1e-5)


def test_the_other_schedules_are_their_formulas() -> None:
    flux = sampling("CONST", "ModelSamplingFlux")
    assert len(flux.sigmas) == 10000
    assert float(flux.sigma(torch.tensor(0.5))) == pytest.approx(math.e**1.15 / (math.e**1.15 + 1), rel=1e-5)
    edm = sampling("V_PREDICTION", "ModelSamplingContinuousEDM")
    edm.set_parameters(0.002, 80.0, 0.5)
    assert float(edm.sigma_max) == pytest.approx(80.0, rel=1e-5)
    assert float(edm.timestep(torch.tensor(2.0))) == pytest.approx(0.25 * math.log(2.0), rel=1e-5)
    assert edm.percent_to_sigma(0.5) == pytest.approx(math.sqrt(80.0 * 0.002), rel=1e-4)
    angle = sampling("V_PREDICTION", "ModelSamplingContinuousV")
    assert float(angle.timestep(torch.tensor(1.0))) == pytest.approx(0.5, rel=1e-5)
    import comfy.model_sampling as ms

    assert ms.time_snr_shift(3.0, 0.5) == pytest.approx(0.75)
    lcm = sampling("EPS")
    lcm.set_sigmas(lcm.sigmas[19::20])
    assert len(lcm.sigmas) == len(lcm.log_sigmas) == 50


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("SD15", latent_format.SD1),
        ("SDXL", latent_format.SDXL),
        ("SD3", latent_format.SD3),
        ("Flux", latent_format.FLUX),
        ("SDXL_Playground_2_5", latent_format.PLAYGROUND),
        ("SD_X4", latent_format.X4_UPSCALER),
    ],
)
def test_latent_formats_agree_with_the_engines(name: str, ours: Any) -> None:
    import comfy.latent_formats

    theirs = getattr(comfy.latent_formats, name)()
    z = torch.randn(1, ours.channels, 2, 2)
    assert torch.allclose(theirs.process_in(z), ours.to_model(z), atol=1e-5)
    assert torch.allclose(theirs.process_out(theirs.process_in(z)), z, atol=1e-5)
    assert theirs.latent_channels == ours.channels
    assert theirs.scale_factor == ours.scale


def test_wans_latents_are_those_of_diffusers() -> None:
    import inspect

    import comfy.latent_formats
    from diffusers import AutoencoderKLWan

    defaults = inspect.signature(AutoencoderKLWan.__init__).parameters
    wan = comfy.latent_formats.Wan21()
    assert list(wan.mean) == list(defaults["latents_mean"].default)
    assert list(wan.deviation) == list(defaults["latents_std"].default)
    z = torch.randn(1, 16, 2, 3, 3)
    assert torch.allclose(wan.process_out(wan.process_in(z)), z, atol=1e-5)


def layout(name: str) -> dict[str, Tensor]:
    with gzip.open(LAYOUTS / f"{name}.json.gz") as file:
        found = json.load(file)
    shapes = found.get("tensors", found)
    return {
        key: torch.empty(value["shape"] if isinstance(value, dict) else value, device="meta")
        for key, value in shapes.items()
        if not key.startswith("__")
    }


@pytest.mark.parametrize(
    ("name", "family", "model", "channels"),
    [
        ("sd15", "SD15", "BaseModel", 4),
        ("sd15_inpainting", "SD15", "BaseModel", 9),
        ("sd21", "SD20", "BaseModel", 4),
        ("sdxl_base", "SDXL", "SDXL", 4),
    ],
)
def test_real_layouts_are_of_their_families(name: str, family: str, model: str, channels: int) -> None:
    import comfy.model_base
    import comfy.model_detection
    import comfy.supported_models

    tensors = layout(name)
    prefix = comfy.model_detection.unet_prefix_from_state_dict(tensors)
    assert prefix == "model.diffusion_model."
    config = comfy.model_detection.model_config_from_unet(tensors, prefix)
    assert type(config) is getattr(comfy.supported_models, family)
    assert config.unet_config["in_channels"] == channels
    assert comfy.model_detection.count_blocks(tensors, prefix + "input_blocks.{}.") == (9 if "xl" in name else 12)
    made = config.get_model({}, "", "meta") if name != "sd21" else None
    if made is not None:
        assert type(made) is getattr(comfy.model_base, model)
        wanted = {key.removeprefix(prefix): tuple(t.shape) for key, t in tensors.items() if key.startswith(prefix)}
        assert {key: tuple(t.shape) for key, t in made.diffusion_model.state_dict().items()} == wanted
        assert made.concat_keys == (("mask", "masked_image") if channels == 9 else ())


def test_an_unknown_network_is_none_or_the_base_if_asked_for() -> None:
    import comfy.model_detection

    tensors = {f"model.diffusion_model.layer{i}.weight": torch.zeros(1) for i in range(9)}
    assert comfy.model_detection.model_config_from_unet(tensors, "model.diffusion_model.") is None
    odd = layout("sd15")
    key = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    odd[key] = torch.empty(320, 555, device="meta")
    assert comfy.model_detection.model_config_from_unet(odd, "model.diffusion_model.") is None
    base = comfy.model_detection.model_config_from_unet(odd, "model.diffusion_model.", use_base_if_no_match=True)
    assert base.unet_config["context_dim"] == 555


def test_old_configurations_are_told_by_block() -> None:
    import comfy.model_detection

    old = {
        "num_res_blocks": 2,
        "channel_mult": [1, 2, 4, 4],
        "attention_resolutions": [4, 2, 1],
        "transformer_depth": 1,
    }
    new = comfy.model_detection.convert_config(old)
    assert new["num_res_blocks"] == [2, 2, 2, 2]
    assert new["transformer_depth"] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert new["transformer_depth_output"] == [1] * 9 + [0] * 3
    assert new["transformer_depth_middle"] == 1


def test_a_diffusers_network_is_known_and_computes_the_same() -> None:
    import comfy.model_detection
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from diffusers import UNet2DConditionModel

    from engine.checkpoints import keys

    torch.manual_seed(0)
    theirs = UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=48,
        attention_head_dim=8,
    ).eval()
    tensors = theirs.state_dict()
    config = comfy.model_detection.unet_config_from_diffusers_unet(tensors)
    assert config is not None
    assert (config["context_dim"], config["model_channels"], config["channel_mult"]) == (48, 32, [1, 2])
    ours = UNetModel(**config, num_heads=8, device="cpu")
    shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    names = keys.unet_names(keys.diffusers_unet_config(shapes))
    ours.load_state_dict({keys.our_name(name, names): t for name, t in tensors.items()})
    x, text, time = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 48), torch.tensor([7.0, 500.0])
    with torch.no_grad():
        expected = theirs(x, time, text).sample
        got = ours(x, time, context=text, transformer_options={})
    assert torch.allclose(got, expected, atol=1e-4)


def test_sdxls_vector_is_text_and_sizes_as_waves() -> None:
    import comfy.model_detection
    from comfy.ldm.flux.layers import timestep_embedding

    tensors = layout("sdxl_base")
    model = comfy.model_detection.model_config_from_unet(tensors, "model.diffusion_model.").get_model({}, "", "meta")
    pooled = torch.randn(1, 1280)
    y = model.encode_adm(pooled_output=pooled, width=512, height=640, crop_w=3, target_width=1024)
    assert y.shape == (1, 2816)
    assert torch.equal(y[:, :1280], pooled)
    numbers = torch.tensor([640.0, 512.0, 0.0, 3.0, 640.0, 1024.0])
    waves = timestep_embedding(numbers, 256, time_factor=1.0).flatten()
    assert torch.allclose(y[0, 1280:], waves, atol=1e-5)


def test_inpainting_networks_are_shown_mask_and_picture_as_the_engine_shows_them() -> None:
    import comfy.model_detection

    from engine.conditioning import Condition
    from engine.sampling.fitting import Fitted, Span
    from engine.sampling.inpainting import FurtherChannels

    config = comfy.model_detection.model_config_from_unet(layout("sd15_inpainting"), "model.diffusion_model.")
    model = config.get_model({}, "", "meta")
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(2, 4, 8, 8, generator=generator)
    picture, mask = torch.randn(1, 4, 6, 6, generator=generator), torch.rand(1, 1, 48, 48, generator=generator)
    for given in ({"concat_latent_image": picture, "concat_mask": mask}, {}):
        condition = Condition(
            torch.zeros(1, 1, 1), concat_latent=given.get("concat_latent_image"), concat_mask=given.get("concat_mask")
        )
        scaled = FurtherChannels(5, latent_format.SD1, latent)(Fitted(condition, Span(100.0, 0.0)))
        conds = model.extra_conds(noise=latent, latent_image=latent, device="cpu", **given)
        assert torch.allclose(conds["c_concat"].cond, scaled, atol=1e-5)


def test_loras_are_bound_by_three_steps_to_what_the_engine_binds(host: Any, tiny_models: Path) -> None:
    import comfy.lora

    from compat.crossing import enter
    from engine.adapters import lora

    model = host.loader.checkpoint(tiny_models / "checkpoints" / "tiny.safetensors").model
    file = host.loader.lora(tiny_models / "loras" / "tiny.safetensors")
    patcher = enter(model).clone()
    names = comfy.lora.model_lora_keys_unet(patcher.model, {})
    assert names["lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k"].startswith("diffusion_model.")
    patches = comfy.lora.load_lora(file.tensors, names, log_missing=False)
    assert len(patcher.add_patches(patches, 0.6)) == 1
    ours, _ = lora.apply(model, None, file, 0.6, 0.0)
    patcher.patch_model(patcher.load_device)
    key = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    got = patcher.model.diffusion_model.state_dict()[key].clone()
    patcher.unpatch_model(patcher.offload_device)
    with model.ready():
        """Away with it."""
    with ours.ready() as network:
        assert torch.equal(got, network.state_dict()[key])
    (adapter,) = patches.values()
    assert adapter.name == "lora"
    assert isinstance(adapter.delta, LowRank)
    assert adapter.weights[0].shape == (32, 4)


def test_text_encoders_names_in_loras() -> None:
    import comfy.lora

    class Text(nn.Module):
        def __init__(self, *encoders: str) -> None:
            super().__init__()
            self.keys = [f"{e}.transformer.text_model.encoder.layers.3.mlp.fc1.weight" for e in encoders]

        def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
            return dict.fromkeys(self.keys, torch.zeros(1))

    one = comfy.lora.model_lora_keys_clip(Text("clip_l"), {})
    assert one["lora_te_text_model_encoder_layers_3_mlp_fc1"].startswith("clip_l.")
    two = comfy.lora.model_lora_keys_clip(Text("clip_l", "clip_g"), {})
    assert two["lora_te1_text_model_encoder_layers_3_mlp_fc1"].startswith("clip_l.")
    assert two["lora_te2_text_model_encoder_layers_3_mlp_fc1"].startswith("clip_g.")
    refiner = comfy.lora.model_lora_keys_clip(Text("clip_g"), {})
    assert refiner["lora_te_text_model_encoder_layers_3_mlp_fc1"].startswith("clip_g.")
