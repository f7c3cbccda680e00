"""Stable Diffusion's x4 upscaler in its real layout, beside diffusers' pipeline for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)

from engine.checkpoints.detect import detect
from engine.checkpoints.load import Checkpoint, Loader
from engine.checkpoints.tensors import in_memory
from engine.conditioning import Condition
from engine.errors import SamplingError
from engine.models.unet import ClassTable, UNet
from engine.models.unet_config import UNetConfig
from engine.models.vae import AutoencoderKL as OurAutoencoder
from engine.models.vae import VAEConfig
from engine.sampling.sample import sample
from engine.sampling.vectors import Vectors
from tests import families
from tests.engine.checkpoints.test_detect import file, layout

BETAS = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "scaled_linear"}
SEED = 42


def autoencoder(*widths: int) -> AutoencoderKL:
    count = len(widths)
    return AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * count,
        up_block_types=("UpDecoderBlock2D",) * count,
        layers_per_block=2,
        latent_channels=4,
        scaling_factor=0.08333,
    )


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def vae() -> AutoencoderKL:
    return autoencoder(32, 32, 64)


@pytest.fixture(scope="module")
def mini(vae: AutoencoderKL) -> families.Miniature:
    return families.x4_upscaler(vae)


@pytest.fixture(scope="module")
def loaded(mini: families.Miniature) -> Checkpoint:
    return Loader().checkpoint(in_memory("x4", mini.tensors))


def shapes_of(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def test_the_published_layout_is_recognised_and_every_weight_of_it_has_its_place() -> None:
    published = {**families.X4_UPSCALER, "block_out_channels": (256, 512, 512, 1024), "cross_attention_dim": 1024}
    with torch.device("meta"):
        unet = {name: tuple(each.shape) for name, each in families.ours(UNet2DConditionModel(**published)).items()}
        vae = shapes_of(OurAutoencoder(VAEConfig(multipliers=(1, 2, 4))))
        ours = UNet(UNetConfig.from_shapes(unet))
    assert shapes_of(ours) == unet
    assert unet["label_emb.weight"] == (1000, 1024)
    assert (unet["input_blocks.4.1.transformer_blocks.0.attn1.to_k.weight"], ours.config.heads_at(512)) == (
        (512, 1024),
        8,
    )
    text = {name: shape for name, shape in layout("sd21").items() if name.startswith("cond_stage_model.")}
    names = {f"model.diffusion_model.{name}": shape for name, shape in unet.items()}
    match = detect(file({**names, **text, **{f"first_stage_model.{name}": each for name, each in vae.items()}}))
    assert (match.family.id, match.prefix) == ("x4_upscaler", "model.diffusion_model.")
    assert ours.config.reads_only_text == (False, True, True, False)  # the finest has no transformers at all


def test_what_shapes_do_not_tell_is_the_familys(loaded: Checkpoint) -> None:
    assert (loaded.model.family, loaded.model.prediction.kind) == ("x4_upscaler", "v")
    assert loaded.clip is not None
    assert loaded.vae is not None
    assert (loaded.vae.ratio, loaded.model.latent_format.scale) == (4, 0.08333)
    alphas = DDIMScheduler(**BETAS).alphas_cumprod.double()
    torch.testing.assert_close(
        loaded.model.prediction.table.sigmas.double(), ((1 - alphas) / alphas).sqrt(), rtol=1e-4, atol=1e-6
    )


def small_picture() -> torch.Tensor:
    return torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("amount", [0.0, 0.06, 1.0])
def test_a_picture_is_drawn_as_by_diffusers_pipeline(
    amount: float, mini: families.Miniature, loaded: Checkpoint, vae: AutoencoderKL
) -> None:
    tokens = torch.randn(2, 1, 77, 128, generator=torch.Generator().manual_seed(2))
    noise = torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(5))
    scheduler = DDIMScheduler(**BETAS, prediction_type="v_prediction", clip_sample=False)
    pipeline = StableDiffusionUpscalePipeline(
        vae, None, None, mini.unet, DDPMScheduler(**BETAS), scheduler, max_noise_level=350
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        image=(small_picture() + 1) / 2,
        prompt_embeds=tokens[0],
        negative_prompt_embeds=tokens[1],
        guidance_scale=3.0,
        num_inference_steps=3,
        noise_level=round(350 * amount),
        generator=torch.Generator().manual_seed(SEED - 10),
        latents=noise.clone(),
        output_type="pt",
    ).images
    # Diffusers begins with noise alone, of variance 1; ours is σ times the noise, seen divided by √(1 + σ²).
    alphas = scheduler.alphas_cumprod[scheduler.timesteps]
    sigmas = torch.cat([((1 - alphas) / alphas).sqrt(), torch.zeros(1)])
    told = {"concat_image": small_picture(), "image_noise": amount}
    sides = [[Condition(each, **told)] for each in tokens]
    latent = drawn(loaded, sides, noise / (1 - alphas[0]).sqrt(), sigmas)
    assert loaded.vae is not None
    ours = loaded.vae.decode(latent).movedim(-1, 1)
    assert ours.shape == (1, 3, 32, 48)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert float(theirs.std()) > 0.05


def drawn(loaded: Checkpoint, sides: list[list[Condition]], noise: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    model = loaded.model
    with model.ready() as network:
        return sample(
            network,
            model.prediction,
            model.latent_format,
            positive=sides[0],
            negative=sides[1],
            cfg=3.0,
            latent=torch.zeros_like(noise),
            noise=noise,
            sampler="euler",
            sigmas=sigmas,
            seed=SEED,
        )


def test_diffusers_own_names_are_understood_as_well(mini: families.Miniature, loaded: Checkpoint) -> None:
    again = Loader().denoiser(in_memory("unet", mini.unet.state_dict()))
    assert again.family == "x4_upscaler"
    assert all(torch.equal(again.part.weights[name], each) for name, each in loaded.model.part.weights.items())


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "makes a picture larger and was given none; put one on both .* SD_4XUpscale_Conditioning"),
        ({"concat_image": torch.zeros(1, 4, 8, 8)}, r"a picture of 3 colours .* its concat_image is \[1, 4, 8, 8\]"),
    ],
)
def test_a_picture_that_is_not_there_is_asked_for(told: dict[str, torch.Tensor], said: str, loaded: Checkpoint) -> None:
    sides = [[Condition(torch.zeros(1, 77, 128), **told)]] * 2
    with pytest.raises(SamplingError, match=said):
        drawn(loaded, sides, torch.zeros(1, 4, 8, 8), torch.tensor([1.0, 0.0]))


def test_a_folder_of_diffusers_is_the_same_model(
    mini: families.Miniature, loaded: Checkpoint, vae: AutoencoderKL, tmp_path: Path
) -> None:
    mini.unet.save_pretrained(tmp_path / "unet")
    vae.save_pretrained(tmp_path / "vae")
    DDIMScheduler(**BETAS, prediction_type="v_prediction").save_pretrained(tmp_path / "scheduler")
    found = Loader().diffusers(tmp_path)
    assert found.vae is not None
    assert (found.model.family, found.vae.ratio, found.model.prediction.kind) == ("x4_upscaler", 4, "v")
    assert torch.equal(found.model.prediction.table.sigmas, loaded.model.prediction.table.sigmas)
    assert all(torch.equal(found.model.part.weights[name], each) for name, each in loaded.model.part.weights.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_level_of_noise_is_read_from_its_own_row_in_half_precision(dtype: torch.dtype) -> None:
    table = ClassTable(1000, 4).to(dtype).requires_grad_(False)
    table.weight.copy_(torch.randn(1000, 4, generator=torch.Generator().manual_seed(3)))
    vectors = Vectors("noise_level", 1000)
    for amount in (0.0, 0.283, 0.997, 1.0):
        y = vectors(Condition(torch.zeros(1, 1, 1), image_noise=amount), 0, (8, 8))
        assert torch.equal(table(y.to(dtype))[0], table.weight[round(350 * amount)])


def test_what_is_put_in_at_self_attention_passes_by_where_there_is_none(loaded: Checkpoint) -> None:
    seen = []

    def note(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra: dict) -> tuple:
        seen.append((extra["block"], q.shape[1], k.shape[1]))
        return q, k, v

    x, y = torch.zeros(1, 7, 8, 8), torch.zeros(1, 1000)
    given = {"timesteps": torch.tensor([5.0]), "context": torch.zeros(1, 77, 128), "y": y}
    with loaded.model.ready() as network, torch.no_grad():
        plain = network(x, **given)
        noted = network(x, **given, patches={"patches": {"attn1_patch": [note]}})
    assert torch.equal(plain, noted)
    assert {block for block, _, _ in seen} == {
        ("input", 10), ("input", 11), ("middle", 0), ("output", 0), ("output", 1), ("output", 2)
    }  # fmt: skip
    assert all(asking == looked_at == 1 for _, asking, looked_at in seen)
