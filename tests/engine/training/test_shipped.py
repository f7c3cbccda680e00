"""What is exported is what is loaded: the same answers, in half precision, with the token table filled up."""

from pathlib import Path

import torch
from safetensors import safe_open

from engine.checkpoints.load import Loader
from engine.models.unet import UNet
from engine.models.vae import AutoencoderKL
from engine.text.tokenizer import END, START, Tokenizer
from engine.training import autoencoder, denoiser, shipped
from engine.training.text_tower import TextTower, tokens_of


def test_an_exported_model_answers_as_it_did_in_training(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokens = tokens_of(["a fox on a navy background"], Tokenizer())
    tower = TextTower(sorted({*tokens.flatten().tolist(), START, END})).eval()
    unet, vae = UNet(denoiser.CONFIG).eval(), AutoencoderKL(autoencoder.CONFIG).eval()
    path = tmp_path / "made.safetensors"
    shipped.export(path, unet, tower, vae, {"picture_size": [128, 128]})

    checkpoint = Loader().checkpoint(path)
    assert checkpoint.clip is not None
    assert checkpoint.vae is not None
    latent = torch.randn(1, 4, 16, 16)
    with torch.no_grad(), checkpoint.model.ready() as network:
        states = tower(tokens.long())[0]
        expected = unet(latent, torch.tensor([500.0]), states)
        found = network(latent.to(next(network.parameters()).dtype), torch.tensor([500.0]), states)
    assert torch.allclose(checkpoint.clip.encode("a fox on a navy background")[0], states, atol=5e-3)
    assert torch.allclose(found.float(), expected, atol=5e-3)
    with torch.no_grad():
        drawn = (vae.decode(latent)[0].movedim(0, -1) / 2 + 0.5).clamp(0, 1)
    assert torch.allclose(checkpoint.vae.decode(latent)[0], drawn, atol=1e-2)


def test_a_word_without_a_row_reads_the_mean_of_all_rows(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tower = TextTower([320, 3240, START, END]).eval()
    path = tmp_path / "made.safetensors"
    shipped.export(path, UNet(denoiser.CONFIG), tower, AutoencoderKL(autoencoder.CONFIG), {})
    checkpoint = Loader().checkpoint(path)
    assert checkpoint.clip is not None
    tokens = tokens_of(["a zebra"], Tokenizer())
    assert not torch.isin(tokens[0, 2], tower.ids)
    with torch.no_grad():
        states = tower(tokens.long())[0]
    assert torch.allclose(checkpoint.clip.encode("a zebra")[0], states, atol=5e-3)


def test_the_file_is_in_half_precision_and_says_what_shapes_cannot(tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    tower = TextTower([320, START, END])
    shipped.export(path, UNet(denoiser.CONFIG), tower, AutoencoderKL(autoencoder.CONFIG), {"steps": 7})
    with safe_open(path, "pt") as file:
        said = file.metadata()["latentwire"]
        kinds = {name: file.get_slice(name).get_dtype() for name in list(file.keys())}
        ids = file.get_tensor("latentwire.token_ids")
    assert ids.tolist() == [320, START, END]
    assert {kind for name, kind in kinds.items() if name != "latentwire.token_ids"} == {"F16"}
    assert all(part in said for part in ('"unet_heads": 4', '"clip_heads": 4', '"quick_gelu"', '"steps": 7'))
    assert path.stat().st_size < 40e6
