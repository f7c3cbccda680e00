import json

import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoints.load import Loader
from engine.errors import CheckpointError
from engine.text.encoder import encode
from engine.text.tokenizer import Tokenizer

X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
T = torch.tensor([3.0, 700.0])
CONTEXT = torch.randn(2, 7, 64, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def loader():
    return Loader()


def write(tmp_path, tensors, name="x.safetensors", metadata=None):
    save_file(tensors, tmp_path / name, metadata=metadata)
    return tmp_path / name


def drawn(model):
    with model.ready() as network, torch.no_grad():
        return network(X, T, CONTEXT)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_a_checkpoint_computes_what_its_networks_did(tmp_path, loader, full, networks):
    loaded = loader.checkpoint(write(tmp_path, full))
    with torch.no_grad():
        close(drawn(loaded.model), networks["unet"](X, T, CONTEXT))
        pixels = torch.rand(1, 16, 16, 3)
        close(loaded.vae.encode(pixels), networks["vae"].encode(pixels.movedim(-1, 1) * 2 - 1))
    tokenizer = Tokenizer()
    expected = encode(networks["text"], tokenizer.chunks("a (red:1.2) apple"), tokenizer.empty())
    close(loaded.clip.encode("a (red:1.2) apple"), expected)
    assert loaded.model.prediction.kind == "eps"
    assert loaded.model.family == "sd1"
    assert loaded.model.latent_format.scale == 0.18215


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_number_formats_load_as_well(tmp_path, loader, full, dtype):
    loaded = loader.checkpoint(write(tmp_path, {key: value.to(dtype) for key, value in full.items()}))
    assert loaded.model.part.weights["out.2.weight"].dtype == dtype
    assert drawn(loaded.model).dtype == torch.float32


def test_weights_stay_as_the_file_stores_them_until_they_are_needed(tmp_path, loader, full):
    model = loader.checkpoint(write(tmp_path, full)).model
    assert {weight.dtype for weight in model.part.weights.values()} == {torch.float16}
    assert all(parameter.device.type == "meta" for parameter in model.part.module.parameters())
    assert not model.part.is_here


def test_older_files_without_text_model_in_their_names_load(tmp_path, loader, full):
    old = {name.replace("transformer.text_model.", "transformer."): tensor for name, tensor in full.items()}
    assert loader.checkpoint(write(tmp_path, old)).clip.encode("a cat")[0].shape == (1, 77, 64)


def test_ckpt_files_load_like_safetensors(tmp_path, loader, full):
    torch.save({"state_dict": full, "epoch": 1}, tmp_path / "x.ckpt")
    close(
        drawn(loader.checkpoint(tmp_path / "x.ckpt").model),
        drawn(loader.checkpoint(write(tmp_path, full)).model),
    )


def test_parts_that_are_not_in_the_file_are_none(tmp_path, loader, parts):
    loaded = loader.checkpoint(write(tmp_path, parts("unet", "model.diffusion_model.")))
    assert loaded.clip is None
    assert loaded.vae is None


@pytest.mark.parametrize("prefix", ["", "diffusion_model.", "model.diffusion_model."])
def test_a_denoiser_alone_loads_under_any_prefix(tmp_path, loader, parts, networks, prefix):
    model = loader.checkpoint(write(tmp_path, parts("unet", prefix))).model
    with torch.no_grad():
        close(drawn(model), networks["unet"](X, T, CONTEXT))


def test_an_inpainting_network_takes_nine_channels(tmp_path, loader, full):
    key = "model.diffusion_model.input_blocks.0.0.weight"
    full[key] = torch.cat([full[key], full[key], full[key][:, :1]], dim=1)
    model = loader.checkpoint(write(tmp_path, full)).model
    assert model.part.module.config.in_channels == 9


def test_metadata_says_what_shapes_cannot(tmp_path, loader, full):
    said = {"unet_heads": 4, "clip_heads": 2, "clip_activation": "gelu", "prediction": "v"}
    loaded = loader.checkpoint(write(tmp_path, full, metadata={"latentwire": json.dumps(said)}))
    assert loaded.model.part.module.config.heads == 4
    assert loaded.clip.encoders[0].part.module.text_config.heads == 2
    assert loaded.clip.encoders[0].part.module.text_config.activation == "gelu"
    assert loaded.model.prediction.kind == "v"


def test_a_file_says_what_colours_its_latents_have(tmp_path, loader, full):
    rows = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9], [1.0, 1.1, 1.2], [0.5, 0.0, -0.5]]
    metadata = {"latentwire": json.dumps({"latent_colours": rows})}
    painted = loader.checkpoint(write(tmp_path, full, metadata=metadata)).model.latent_format.preview(
        torch.zeros(1, 4, 1, 1)
    )
    assert torch.allclose(painted.flatten(), torch.tensor([0.75, 0.5, 0.25]))


@pytest.mark.parametrize(
    "said",
    [
        "[1]",
        "{",
        '{"unet_heads": 0}',
        '{"clip_heads": "4"}',
        '{"clip_activation": "x"}',
        '{"prediction": 3}',
        '{"latent_colours": [[1, 2, 3]]}',
        '{"latent_colours": [[1, 2], [1, 2]]}',
        '{"latent_colours": [[1, 2, "3"], [1, 2, 3]]}',
    ],
)
def test_garbled_metadata_is_refused(tmp_path, loader, full, said):
    with pytest.raises(CheckpointError, match=r"x\.safetensors: its metadata"):
        loader.checkpoint(write(tmp_path, full, metadata={"latentwire": said}))


def test_a_shortened_token_table_is_filled_up(tmp_path, loader, full):
    key = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    used = sorted({0, 49406, 49407, *Tokenizer().words("a red apple")})
    short = {**full, key: full[key][used], "latentwire.token_ids": torch.tensor(used, dtype=torch.int32)}
    clip = loader.checkpoint(write(tmp_path, short, "short.safetensors")).clip
    whole = loader.checkpoint(write(tmp_path, full)).clip
    close(clip.encode("a red apple"), whole.encode("a red apple"))
    assert clip.encoders[0].part.weights["embeddings.token_embedding.weight"].shape == (49408, 64)


def test_a_token_table_that_does_not_fit_its_ids_is_refused(tmp_path, loader, full):
    full["latentwire.token_ids"] = torch.tensor([1, 2, 3])
    with pytest.raises(CheckpointError, match="names 3 tokens for a table of 49408 rows"):
        loader.checkpoint(write(tmp_path, full))


def test_an_incomplete_network_says_what_is_missing(tmp_path, loader, full):
    del full["model.diffusion_model.time_embed.0.weight"]
    with pytest.raises(CheckpointError, match=r"the denoiser is incomplete, 1 of \d+ tensors: time_embed\.0\.weight"):
        loader.checkpoint(write(tmp_path, full))


def test_a_tensor_of_the_wrong_shape_is_named(tmp_path, loader, full):
    full["first_stage_model.decoder.conv_out.weight"] = torch.zeros(7, 7)
    with pytest.raises(CheckpointError, match=r"decoder\.conv_out\.weight is \[7, 7\], not \[3, 32, 3, 3\]"):
        loader.checkpoint(write(tmp_path, full))


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool])
def test_a_weight_of_whole_numbers_is_refused(tmp_path, loader, full, dtype):
    name = "model.diffusion_model.time_embed.0.weight"
    full[name] = full[name].to(dtype)
    expected = rf"time_embed\.0\.weight in {str(dtype)[6:]}, expected floating point"
    with pytest.raises(CheckpointError, match=expected):
        loader.checkpoint(write(tmp_path, full))


@pytest.mark.parametrize("prefix", ["", "first_stage_model.", "vae."])
def test_an_autoencoder_in_a_file_of_its_own(tmp_path, loader, parts, networks, prefix):
    extra = {"loss.logvar": torch.zeros(1)}
    vae = loader.vae(write(tmp_path, {**parts("vae", prefix), **extra}))
    latent = torch.randn(1, 4, 4, 4)
    with torch.no_grad():
        expected = networks["vae"].decode(latent)
    close(vae.decode(latent), ((expected + 1) / 2).clamp(0, 1).movedim(1, -1))


def test_a_file_without_autoencoder_is_refused(tmp_path, loader, parts):
    with pytest.raises(CheckpointError, match="no autoencoder inside"):
        loader.vae(write(tmp_path, parts("unet", "")))


@pytest.mark.parametrize("prefix", ["", "control_model."])
def test_a_controlnet_in_either_of_its_layouts(tmp_path, loader, parts, networks, prefix):
    net = loader.controlnet(write(tmp_path, parts("control", prefix)))
    hint = torch.rand(2, 3, 64, 64)
    residuals = net(X, hint, T, CONTEXT)
    with torch.no_grad():
        expected = networks["control"](X, hint, T, CONTEXT)
    close(residuals.input, expected.input)
    close(residuals.middle, expected.middle)


def test_a_shuffle_controlnet_speaks_of_the_whole_picture(tmp_path, loader, parts):
    net = loader.controlnet(write(tmp_path, parts("control", ""), "control_v11e_sd15_shuffle.safetensors"))
    residual = net(X, torch.rand(2, 3, 64, 64), T, CONTEXT).middle
    close(residual, residual.mean(dim=(2, 3), keepdim=True).expand_as(residual))


def test_learned_words_come_from_the_embeddings_folders(tmp_path, full):
    (tmp_path / "embeddings").mkdir()
    key = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    word = full[key][Tokenizer().words("apple")].clone()
    torch.save({"string_to_param": {"*": word}}, tmp_path / "embeddings" / "fruit.pt")
    clip = Loader(embeddings=[tmp_path / "embeddings"]).checkpoint(write(tmp_path, full)).clip
    close(clip.encode("a red embedding:fruit"), clip.encode("a red apple"))


def test_pixel_space_is_the_picture_itself(loader):
    vae, pixels = loader.pixel_space(), torch.rand(1, 5, 7, 3)
    assert vae.ratio == 1
    close(vae.encode(pixels), pixels.movedim(-1, 1) * 2 - 1)
    close(vae.decode(vae.encode(pixels)), pixels)
