"""The scale is written into the autoencoder without changing a picture, and scenes are encoded once."""

import torch

from engine.models.vae import AutoencoderKL, VAEConfig
from engine.training import latents
from engine.training.autoencoder import LATENT_SCALE
from engine.training.captions import Picture, Placed, Scene

SMALL = VAEConfig(channels=8, multipliers=(1, 1, 2, 2), res_blocks=1)


def test_standardised_latents_have_unit_variance_and_draw_the_same_pictures() -> None:
    torch.manual_seed(0)
    network = AutoencoderKL(SMALL).eval()
    pixels = torch.rand(6, 3, 32, 32) * 2 - 1
    before = network(pixels)
    spread = network.moments(pixels)[1].exp().sqrt() / network.encode(pixels).std(dim=(0, 2, 3)).view(1, -1, 1, 1)
    latents.standardise_(network, pixels)
    mean, logvar = network.moments(pixels)
    assert torch.allclose((mean * LATENT_SCALE).std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)
    assert (mean * LATENT_SCALE).mean(dim=(0, 2, 3)).abs().max() < 1e-3
    assert torch.allclose((logvar / 2).exp() * LATENT_SCALE, spread, rtol=1e-3)
    assert torch.allclose(network(pixels), before, atol=1e-4)


def test_a_picture_that_scenes_share_is_encoded_once() -> None:
    torch.manual_seed(0)
    network = AutoencoderKL(SMALL).eval()
    one, other = Picture((Placed(0),)), Picture((Placed(1),))
    scenes = [Scene("a", one), Scene("b", other), Scene("c", one)]
    layers = torch.rand(2, 4, 32, 32)
    clean, rows = latents.encode(network, scenes, layers, 32, torch.device("cpu"))
    assert clean.shape == (2, 4, 4, 4)
    assert rows.tolist() == [0, 1, 0]


def test_colours_are_those_the_decoder_draws() -> None:
    class Decoder(AutoencoderKL):
        """Each cell is one colour, a known mixture of its channels."""

        def decode(self, latent: torch.Tensor) -> torch.Tensor:
            mixed = torch.einsum("bchw,cr->brhw", latent * LATENT_SCALE, MIXTURE) + 0.25
            return mixed.repeat_interleave(8, -1).repeat_interleave(8, -2)

    torch.manual_seed(0)
    found = torch.tensor(latents.colours(Decoder(SMALL), torch.rand(8, 4, 4, 4)))
    assert torch.allclose(found[:4], MIXTURE, atol=1e-3)
    assert torch.allclose(found[4], torch.full((3,), 0.25), atol=1e-3)


MIXTURE = torch.tensor([[0.1, 0.0, 0.05], [0.0, 0.2, 0.0], [-0.1, 0.0, 0.15], [0.05, -0.2, 0.1]])
