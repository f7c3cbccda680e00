"""Loading nodes: separate files, diffusers' folders and configurations, with miniatures that diffusers wrote itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, EDMEulerScheduler
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoints.load import Loader
from engine.errors import CheckpointError, PathError
from engine.folders import VAE_AND_SMALL, Folders
from engine.models.latent_format import PLAYGROUND
from engine.sampling.continuous import ContinuousTable
from nodes import loaders, text, unclip
from tests import families

NETWORK = families.NETWORK


@pytest.fixture(scope="module")
def loader() -> Loader:
    return Loader()


@pytest.fixture(scope="module")
def sdxl() -> families.Miniature:
    return families.sdxl()


@pytest.fixture(scope="module")
def sd2() -> families.Miniature:
    return families.sd2()


def put(folders: Folders, kind: str, name: str, tensors: dict[str, Tensor]) -> str:
    path = folders.models / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, path)
    return name


def weights(model: Any) -> dict[str, Tensor]:
    return dict(model.part.weights)


@pytest.mark.parametrize("layout", ["bare", "prefixed", "diffusers"])
def test_a_denoiser_alone_is_read_in_every_layout(
    layout: str, folders: Folders, loader: Loader, sdxl: families.Miniature
) -> None:
    ours = families.ours(sdxl.unet)
    tensors = {"bare": ours, "prefixed": families.below(NETWORK, ours), "diffusers": dict(sdxl.unet.state_dict())}
    name = put(folders, "diffusion_models", "x.safetensors", tensors[layout])
    model = loaders.unet_loader(unet_name=name, weight_dtype="default", folders=folders, loader=loader)
    assert model.family == "sdxl"
    assert weights(model).keys() == ours.keys()
    assert all(torch.equal(each, ours[key]) for key, each in weights(model).items())
    assert model.part.module.config.vector == "sdxl"


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("fp8_e4m3fn", torch.float8_e4m3fn),
        ("fp8_e4m3fn_fast", torch.float8_e4m3fn),
        ("fp8_e5m2", torch.float8_e5m2),
    ],
)
def test_weights_can_rest_in_eight_bits(
    name: str, dtype: torch.dtype, folders: Folders, loader: Loader, sdxl: families.Miniature
) -> None:
    file = put(folders, "diffusion_models", "x.safetensors", families.ours(sdxl.unet))
    model = loaders.unet_loader(unet_name=file, weight_dtype=name, folders=folders, loader=loader)
    key = "input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight"
    assert weights(model)[key].dtype == dtype
    with model.ready() as network:
        expected = families.ours(sdxl.unet)[key].to(dtype).float()
        assert torch.equal(network.get_parameter(key), expected)


def test_text_encoders_are_found_by_what_is_in_their_files(folders: Folders, loader: Loader) -> None:
    small, large = families.text(32, 3, "quick_gelu"), families.text(16, 32, "gelu", projection=1280, seed=1)
    first = put(folders, "text_encoders", "l.safetensors", dict(small.state_dict()))
    second = put(folders, "text_encoders", "g.safetensors", families.open_clip(large))
    given: dict[str, Any] = {"folders": folders, "loader": loader}
    pair = loaders.dual_clip_loader(clip_name1=second, clip_name2=first, type="sdxl", **given)
    assert [each.id for each in pair.encoders] == ["clip_l", "clip_g"]
    assert [each.last_layer for each in pair.encoders] == [-2, -2]
    tokens, pooled = pair.encode("a cat")
    assert (tokens.shape, pooled.shape) == ((1, 77, 48), (1, 1280))
    one = loaders.clip_loader(clip_name=first, type="stable_diffusion", device="cpu", **given)
    assert [(each.id, each.last_layer) for each in one.encoders] == [("clip_l", -1)]
    with pytest.raises(CheckpointError, match=r"expected a CLIP-L and a CLIP-G.*l\.safetensors \(clip_l\)"):
        loaders.dual_clip_loader(clip_name1=first, clip_name2=first, type="sdxl", **given)
    with pytest.raises(CheckpointError, match="flux are not supported yet"):
        loaders.dual_clip_loader(clip_name1=first, clip_name2=second, type="flux", **given)
    with pytest.raises(CheckpointError, match="clip_g is one of several text encoders in sd3"):
        loaders.clip_loader(clip_name=second, type="sd3", **given)


def test_a_folder_that_diffusers_wrote_is_the_same_checkpoint(folders: Folders, loader: Loader) -> None:
    network, large = families.denoiser(text_width=16, levels=4), families.text(16, 23, "gelu", seed=2)
    folder = folders.models / "diffusers" / "mine"
    network.save_pretrained(folder / "unet")
    large.save_pretrained(folder / "text_encoder")
    (folder / "scheduler").mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"prediction_type": "v_prediction"}))
    loaded = loaders.diffusers_loader(model_path="mine", folders=folders, loader=loader)
    assert (loaded.MODEL.family, loaded.MODEL.prediction.kind, loaded.VAE) == ("sd2", "v", None)
    ours = families.ours(network)
    assert all(torch.equal(each, ours[key]) for key, each in weights(loaded.MODEL).items())
    assert loaded.CLIP is not None
    ids = torch.tensor([[token.id for token in loaded.CLIP.tokenize("a cat")["clip_h"][0]]])
    with torch.no_grad():  # Its last layer is the one before the last of the whole encoder.
        theirs = large(ids).last_hidden_state
    torch.testing.assert_close(loaded.CLIP.encode("a cat")[0], theirs, rtol=1e-4, atol=1e-4)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"expected diffusion_pytorch_model\.safetensors in its folder unet"):
        loaders.diffusers_loader(model_path="mine", folders=folders, loader=loader)


def described(folders: Folders, name: str, scheduler: dict[str, Any], autoencoder: dict[str, Any]) -> Path:
    """SDXL's small denoiser in diffusers' layout, with what a scheduler and an autoencoder say."""
    folder = folders.models / "diffusers" / name
    families.denoiser(text_width=2048, vector=2816).save_pretrained(folder / "unet")
    (folder / "model_index.json").write_text("{}")
    for part, file, said in [
        ("scheduler", "scheduler_config.json", scheduler),
        ("vae", "config.json", autoencoder),
    ]:
        (folder / part).mkdir()
        (folder / part / file).write_text(json.dumps(said))
    return folder


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_folder_says_that_its_network_was_trained_at_any_level(folders: Folders, loader: Loader, kind: str) -> None:
    theirs = EDMEulerScheduler(prediction_type=kind, sigma_data=0.5, sigma_max=80.0)
    scheduler = {"_class_name": "EDMDPMSolverMultistepScheduler", **theirs.config}
    playground = {"latents_mean": [-1.6574, 1.886, -1.383, 2.5155], "latents_std": [8.4927, 5.9022, 6.5498, 5.2299]}
    described(folders, "any", scheduler, playground)
    model = loaders.diffusers_loader(model_path="any", folders=folders, loader=loader).MODEL
    x, answer = torch.randn(2, 1, 4, 3, 3).unbind()
    for sigma in torch.tensor([0.01, 0.7, 40.0]):
        ours = model.prediction.denoised(answer, x, sigma)
        torch.testing.assert_close(ours, theirs.precondition_outputs(x, answer, sigma), rtol=1e-5, atol=1e-6)
        shown = model.prediction.scaled_input(x, sigma)
        torch.testing.assert_close(shown, theirs.precondition_inputs(x, sigma), rtol=1e-5, atol=1e-6)
    assert (model.prediction.table.sigma_max, model.latent_format) == (pytest.approx(80.0), PLAYGROUND)


@pytest.mark.parametrize(
    ("rise", "said"),
    [
        ("scaled_linear", {"beta_start": 0.0001, "beta_end": 0.02}),
        ("linear", {"beta_start": 0.0001, "beta_end": 0.02, "num_train_timesteps": 500}),
        ("squaredcos_cap_v2", {}),
        ("scaled_linear", {"beta_start": 0.00085, "beta_end": 0.012, "rescale_betas_zero_snr": True}),
    ],
)
def test_a_folder_says_how_noise_rose_in_training(
    folders: Folders, loader: Loader, rise: str, said: dict[str, Any]
) -> None:
    theirs = DDIMScheduler(beta_schedule=rise, prediction_type="sample", **said)
    described(folders, "rise", {"_class_name": "DDIMScheduler", **theirs.config}, {"latents_mean": None})
    prediction = loaders.diffusers_loader(model_path="rise", folders=folders, loader=loader).MODEL.prediction
    alpha_bars = theirs.alphas_cumprod[:-1]  # The last may be 0, whose level is infinite there.
    expected = ((1 - alpha_bars) / alpha_bars).sqrt()
    torch.testing.assert_close(prediction.table.sigmas[:-1], expected, rtol=1e-3, atol=1e-4)
    assert (prediction.kind, len(prediction.table.sigmas)) == ("x0", said.get("num_train_timesteps", 1000))


def test_a_folder_says_that_its_network_was_trained_down_to_pure_noise(folders: Folders, loader: Loader) -> None:
    described(folders, "black", {"prediction_type": "epsilon", "rescale_betas_zero_snr": True}, {"latents_mean": None})
    model = loaders.diffusers_loader(model_path="black", folders=folders, loader=loader).MODEL
    assert (model.prediction.kind, model.prediction.table.sigma_max > 1000) == ("eps", True)


@pytest.mark.parametrize(
    ("scheduler", "autoencoder", "said"),
    [
        ({"_class_name": "EDMEulerScheduler", "prediction_type": "sample"}, {}, "prediction_type 'sample'"),
        ({"_class_name": "EDMEulerScheduler", "prediction_type": []}, {}, r"\[\]; expected one of epsilon"),
        ({"_class_name": "EDMEulerScheduler", "sigma_max": 0.001}, {}, "noise that cannot be.*sigma_max 0.001"),
        ({"_class_name": "EDMEulerScheduler", "sigma_data": "half"}, {}, "'half'; expected a number above 0"),
        ({"_class_name": "EDMEulerScheduler", "sigma_max": 10**400}, {}, "expected a number above 0"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, {}, "trained along straight paths"),
        ({"prediction_type": "flow"}, {}, "'flow'; expected one of epsilon, v_prediction, sample"),
        ({"beta_schedule": "sudden"}, {}, "beta_schedule 'sudden'; expected one of scaled_linear"),
        ({"num_train_timesteps": 10**9}, {}, "expected at most 100000"),
        ({"beta_start": 0.5, "beta_end": 0.1}, {}, "noise that cannot be"),
        ({"trained_betas": [0.1, 0.2]}, {}, "a list of its own"),
        ({}, {"latents_mean": [1, 2, 3, 4], "latents_std": [1, 1, 1, 1]}, "other latents are not known"),
        ({}, {"latents_mean": "none"}, "or Playground 2.5's"),
        ({}, {"latents_mean": [10**400] * 4, "latents_std": [1.0] * 4}, "other latents are not known"),
    ],
)
def test_a_folder_that_says_what_cannot_be_is_refused(
    folders: Folders, loader: Loader, scheduler: dict[str, Any], autoencoder: dict[str, Any], said: str
) -> None:
    described(folders, "odd", scheduler, autoencoder)
    with pytest.raises(CheckpointError, match=said):
        loaders.diffusers_loader(model_path="odd", folders=folders, loader=loader)


def test_a_configuration_says_what_is_predicted_and_which_layer_is_taken(
    folders: Folders, loader: Loader, sd2: families.Miniature
) -> None:
    name = put(folders, "checkpoints", "x.safetensors", sd2.tensors)
    given: dict[str, Any] = {"ckpt_name": name, "folders": folders, "loader": loader}
    plain = loaders.checkpoint_loader(config_name="v2-inference.yaml", **given)
    assert plain.MODEL.prediction.kind == "eps"
    assert loaders.checkpoint_loader(config_name="v2-inference-v.yaml", **given).MODEL.prediction.kind == "v"
    skipping = loaders.checkpoint_loader(config_name="v1-inference_clip_skip_2.yaml", **given)
    assert skipping.CLIP is not None
    assert skipping.CLIP.encoders[0].last_layer == -2
    own = folders.models / "configs" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("model: {params: {parameterization: v, cond_stage_config: {params: {layer_idx: -3}}}}")
    said = loaders.checkpoint_loader(config_name="own.yaml", **given)
    assert said.CLIP is not None
    assert (said.MODEL.prediction.kind, said.CLIP.encoders[0].last_layer) == ("v", -3)


@pytest.mark.parametrize(
    "content", ["- a\n- b", "model: 3", "!!python/object/apply:os.system ['touch ran']", "a: [", "x"]
)
def test_a_file_that_is_no_configuration_is_refused_and_nothing_in_it_runs(
    content: str, folders: Folders, loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = folders.models / "configs" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(content)
    with pytest.raises(CheckpointError, match=r"own\.yaml"):
        loaders.checkpoint_loader(config_name="own.yaml", ckpt_name="x", folders=folders, loader=loader)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(PathError):
        loaders.checkpoint_loader(config_name="none.yaml", ckpt_name="x", folders=folders, loader=loader)


MARKS = {
    "v": ({"v_pred": torch.zeros(0)}, "v", False, 1.0),
    "zero-SNR": ({"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}, "v", True, 1.0),
    "CosXL": ({"edm_vpred.sigma_max": torch.tensor(120.0), "edm_vpred.sigma_min": torch.tensor(0.01)}, "v", None, 1.0),
    "Playground": ({"edm_mean": torch.zeros(4), "edm_std": torch.ones(4)}, "edm", None, 0.5),
}


@pytest.mark.parametrize("name", MARKS)
def test_marks_in_a_file_say_what_it_predicts(
    name: str, folders: Folders, loader: Loader, sdxl: families.Miniature
) -> None:
    marks, kind, ends_in_noise, deviation = MARKS[name]
    tensors = {**families.below(NETWORK, families.ours(sdxl.unet)), **marks}
    file = put(folders, "checkpoints", "x.safetensors", tensors)
    loaded = loaders.checkpoint_loader_simple(ckpt_name=file, folders=folders, loader=loader)
    assert loaded.CLIP is None
    prediction = loaded.MODEL.prediction
    assert (prediction.kind, prediction.sigma_data) == (kind, deviation)
    if ends_in_noise is None:
        lowest, highest = (0.01, 120.0) if name == "CosXL" else (0.002, 80.0)
        assert isinstance(prediction.table, ContinuousTable)
        assert prediction.table.sigma_min == pytest.approx(lowest)
        assert prediction.table.sigma_max == pytest.approx(highest)
    else:
        assert (prediction.table.sigma_max > 4000) is ends_in_noise
    assert (loaded.MODEL.latent_format.scale == 0.5) is (name == "Playground")


def test_a_level_that_is_none_is_refused(folders: Folders, loader: Loader, sdxl: families.Miniature) -> None:
    marks = {"edm_vpred.sigma_max": torch.tensor(float("nan"))}
    file = put(folders, "checkpoints", "x.safetensors", {**families.below(NETWORK, families.ours(sdxl.unet)), **marks})
    with pytest.raises(CheckpointError, match=r"x\.safetensors: edm_vpred.sigma_max should be one noise level above 0"):
        loaders.checkpoint_loader_simple(ckpt_name=file, folders=folders, loader=loader)


def test_one_tensor_tells_velocity_from_noise_in_sd2(folders: Folders, loader: Loader, sd2: families.Miniature) -> None:
    key = f"{NETWORK}output_blocks.11.1.transformer_blocks.0.norm1.bias"
    for spread, kind in ((0.08, "eps"), (0.1, "v")):
        bias = torch.tensor([-spread, spread]).repeat(len(sd2.tensors[key]) // 2)
        file = put(folders, "checkpoints", "x.safetensors", {**sd2.tensors, key: bias})
        loaded = loaders.checkpoint_loader_simple(ckpt_name=file, folders=folders, loader=loader)
        assert loaded.MODEL.prediction.kind == kind


def test_a_checkpoint_without_one_of_its_text_encoders_has_none(
    folders: Folders, loader: Loader, sdxl: families.Miniature, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = {key: each for key, each in sdxl.tensors.items() if not key.startswith("conditioner.embedders.0")}
    file = put(folders, "checkpoints", "x.safetensors", tensors)
    loaded = loaders.checkpoint_loader_simple(ckpt_name=file, folders=folders, loader=loader)
    assert loaded.CLIP is None
    assert "without its text encoder clip_l" in caplog.text


def test_texts_for_sdxl_may_differ_and_are_made_equally_long(
    loader: Loader, sdxl: families.Miniature, run: Any
) -> None:
    from engine.checkpoints.tensors import in_memory

    clip = loader.checkpoint(in_memory("x", sdxl.tensors)).clip
    assert clip is not None
    long = "word " * 100
    ((tokens, options),) = text.clip_text_encode_sdxl(
        clip=clip, width=900, height=800, crop_w=1, crop_h=2, target_width=3, target_height=4,
        text_g=long, text_l="a cat", run=run,
    )  # fmt: skip
    assert tokens.shape == (1, 154, 96)
    small = clip.encode("a cat")[0][:, :, :32]
    empty = clip.encode("")[0][:, :, :32]
    torch.testing.assert_close(tokens[:, :, :32], torch.cat([small, empty], dim=1))
    torch.testing.assert_close(tokens[:, :, 32:], clip.encode(long)[0][:, :, 32:])
    pooled = options.pop("pooled_output")
    torch.testing.assert_close(pooled, clip.encode(long)[1])
    sizes = {"width": 900, "height": 800, "crop_w": 1, "crop_h": 2, "target_width": 3, "target_height": 4}
    assert options == sizes


def test_the_text_of_another_family_is_refused_with_what_to_do(
    run: Any, sd2: families.Miniature, loader: Loader
) -> None:
    from engine.checkpoints.tensors import in_memory

    clip = loader.checkpoint(in_memory("x", sd2.tensors)).clip
    assert clip is not None
    with pytest.raises(CheckpointError, match="this CLIP has no clip_g and no clip_l, only clip_h"):
        text.clip_text_encode_sdxl(clip=clip, text_g="a", text_l="b", run=run)
    ((_, options),) = text.clip_text_encode_sdxl_refiner(clip=clip, text="a", ascore=5.0, width=8, height=9, run=run)
    assert (options["aesthetic_score"], options["width"], options["height"]) == (5.0, 8, 9)


def test_an_unclip_checkpoint_brings_its_eyes(folders: Folders, loader: Loader) -> None:
    mini, eyes = families.sd2(vector=2048, kind="class"), families.eyes(1024)
    tensors = {**mini.tensors, **families.below("embedder.model.visual.", families.open_clip_eyes(eyes))}
    name = put(folders, "checkpoints", "x.safetensors", tensors)
    loaded = loaders.unclip_checkpoint_loader(ckpt_name=name, folders=folders, loader=loader)
    assert loaded.MODEL.family == "sd2_unclip"
    assert loaded.CLIP_VISION is not None
    pixels = torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = eyes(pixels).image_embeds
    torch.testing.assert_close(loaded.CLIP_VISION.see(pixels).image_embeds, theirs, rtol=1e-4, atol=1e-4)
    plain = put(folders, "checkpoints", "y.safetensors", families.sdxl().tensors)
    assert loaders.unclip_checkpoint_loader(ckpt_name=plain, folders=folders, loader=loader).CLIP_VISION is None


def test_pictures_are_added_to_a_conditioning(condition: Any) -> None:
    class Seen:
        image_embeds = torch.zeros(1, 4)

    seen = Seen()
    given = condition(strength=0.5)
    made = unclip.unclip_conditioning(conditioning=given, clip_vision_output=seen, strength=0.7, noise_augmentation=0.1)
    again = unclip.unclip_conditioning(conditioning=made, clip_vision_output=seen)
    assert len(made[0][1]["unclip_conditioning"]) == 1
    assert [each["strength"] for each in again[0][1]["unclip_conditioning"]] == [0.7, 1.0]
    assert given[0][1] == {"strength": 0.5}
    assert unclip.unclip_conditioning(conditioning=given, clip_vision_output=seen, strength=0.0) is given


def test_small_autoencoders_are_there_when_both_halves_are(folders: Folders, loader: Loader) -> None:
    torch.manual_seed(0)
    theirs = AutoencoderTiny().eval()
    state = theirs.state_dict()
    halves = {
        half: {name.removeprefix(f"{half}.layers."): each for name, each in state.items() if name.startswith(half)}
        for half in ("encoder", "decoder")
    }
    # The published decoder begins with the clamp that is a part of diffusers' forward.
    moved = {f"{int(n.partition('.')[0]) + 1}.{n.partition('.')[2]}": each for n, each in halves["decoder"].items()}
    put(folders, "vae_approx", "taesdxl_encoder.safetensors", halves["encoder"])
    assert folders.list(VAE_AND_SMALL) == []
    put(folders, "vae_approx", "taesdxl_decoder.safetensors", moved)
    assert folders.list(VAE_AND_SMALL) == ["taesdxl"]
    vae = loaders.vae_loader(vae_name="taesdxl", folders=folders, loader=loader)
    assert (vae.ratio, vae.latent_channels) == (8, 4)
    picture = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        latent = theirs.encode(picture.movedim(-1, 1) * 2 - 1).latents
        seen = theirs.decode(latent).sample
    torch.testing.assert_close(vae.encode(picture), latent / 0.13025, rtol=1e-4, atol=1e-4)
    drawn = ((seen + 1) / 2).clamp(0, 1).movedim(1, -1)
    torch.testing.assert_close(vae.decode(latent / 0.13025), drawn, rtol=1e-4, atol=1e-4)
    put(folders, "vae_approx", "taesdxl_decoder.safetensors", {"x.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="no decoder of taesdxl inside"):
        loaders.vae_loader(vae_name="taesdxl", folders=folders, loader=loader)
    with pytest.raises(PathError):
        loaders.vae_loader(vae_name="taesd", folders=folders, loader=loader)
