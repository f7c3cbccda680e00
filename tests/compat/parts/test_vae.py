"""The VAE object: our autoencoder's numbers in ComfyUI's shapes and units, and authors' own kinds in our nodes."""

import pytest
import torch
from torch import nn

from compat.crossing import enter, leave
from compat.crossings.vae import AuthorsVae
from compat.parts.vae import VAE
from engine.values import Vae
from nodes.convert import decodable, encodable, need_vae


@pytest.fixture
def vae(loaded):
    return enter(loaded.vae)


@pytest.fixture
def picture():
    return torch.rand(1, 72, 64, 3, generator=torch.Generator().manual_seed(0))


def test_pictures_become_the_latents_of_our_own_and_come_back(loaded, vae, picture):
    latent = vae.encode(picture)
    assert latent.shape == (1, 4, 9, 8)
    assert torch.equal(latent, loaded.vae.encode(picture))
    assert torch.equal(vae.decode(latent), loaded.vae.decode(latent))


def test_the_module_inside_works_in_minus_one_to_one(loaded, vae, picture):
    latent = vae.encode(picture)
    with torch.no_grad():
        raw = vae.first_stage_model.encode(vae.process_input(picture.movedim(-1, 1)))
        pixels = vae.process_output(vae.first_stage_model.decode(latent)).movedim(1, -1)
    torch.testing.assert_close(raw, latent)
    torch.testing.assert_close(pixels, vae.decode(latent))
    assert vae.first_stage_model.encoder is loaded.vae.part.module.encoder


def test_a_function_put_on_its_decoder_is_used_by_our_nodes(vae, picture):
    latent = vae.encode(picture)
    module = vae.first_stage_model.decoder
    before, forward = vae.decode(latent), module.forward
    module.forward = lambda z: forward(z) * 0
    try:
        assert torch.equal(leave(vae).decode(latent), torch.full_like(before, 0.5))
    finally:
        del module.forward


def test_tiles_may_be_oblong_and_agree_with_the_whole(loaded, vae):
    latent = torch.randn(1, 4, 24, 40, generator=torch.Generator().manual_seed(1))
    whole = vae.decode(latent)
    tiled = vae.decode_tiled(latent, tile_x=64, tile_y=48, overlap=8)
    assert tiled.shape == whole.shape == (1, 192, 320, 3)
    torch.testing.assert_close(tiled, whole, atol=0.2, rtol=0)
    assert torch.equal(vae.decode_tiled(latent, 16, 16, 4), loaded.vae.decode_tiled(latent, 16, 4))
    pixels = torch.rand(1, 96, 96, 3, generator=torch.Generator().manual_seed(2))
    assert torch.equal(vae.encode_tiled(pixels, 64, 64, 16), loaded.vae.encode_tiled(pixels, 64, 16))


def test_a_videos_latents_become_its_frames(vae):
    latent = torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    frames = vae.decode(latent)
    assert frames.shape == (2, 3, 64, 64, 3)
    torch.testing.assert_close(frames[1, 2], vae.decode(latent[1:, :, 2])[0])


def test_what_it_says_of_itself(loaded, vae):
    assert (vae.downscale_ratio, vae.upscale_ratio, vae.latent_channels, vae.latent_dim, vae.output_channels) == (
        8,
        8,
        4,
        2,
        3,
    )
    assert (vae.spacial_compression_encode(), vae.spacial_compression_decode()) == (8, 8)
    assert vae.temporal_compression_decode() is None
    assert vae.device == torch.device("cpu") == vae.output_device
    assert vae.vae_dtype == torch.float32
    assert vae.downscale_index_formula is None
    assert vae.memory_used_decode((1, 4, 64, 64), torch.float32) == 4 * vae.memory_used_decode(
        (1, 4, 32, 32), torch.float32
    )
    assert vae.memory_used_decode((1, 4, 8, 8), torch.float32) > vae.memory_used_encode((1, 3, 64, 64), torch.float32)
    assert vae.get_sd().keys() == loaded.vae.part.weights.keys()
    assert vae.patcher.model is loaded.vae.part.module
    assert vae.vae_encode_crop_pixels(torch.zeros(1, 70, 65, 3)).shape == (1, 64, 64, 3)


def test_one_is_made_of_a_state_dict(loaded, vae, picture):
    made = VAE(sd=vae.get_sd())
    made.throw_exception_if_invalid()
    assert torch.equal(made.encode(picture), vae.encode(picture))
    assert torch.equal(leave(made).encode(picture), vae.encode(picture))


def test_one_of_other_tensors_says_that_it_is_invalid(vae):
    made = VAE(sd={"a": torch.zeros(1)})
    with pytest.raises(RuntimeError, match=r"VAE is invalid.*no autoencoder inside"):
        made.throw_exception_if_invalid()
    with pytest.raises(RuntimeError, match="VAE is invalid"):
        made.decode(torch.zeros(1, 4, 8, 8))
    assert leave(made) is None


def test_it_comes_back_as_the_same_object(loaded, vae):
    assert enter(loaded.vae) is vae
    vae.mark = 1
    wired = leave(vae)
    assert isinstance(wired, Vae)
    assert enter(wired) is vae
    assert leave(vae) is wired


class Halves(nn.Module):
    """Cells of 4 × 4 pixels."""

    def encode(self, pixels):
        return nn.functional.avg_pool2d(pixels, 4)

    def decode(self, latent):
        return latent.repeat_interleave(4, 2).repeat_interleave(4, 3)


def test_a_module_put_in_its_place_does_the_work(vae, host):
    other = VAE.around(vae.ours)
    other.first_stage_model = Halves()
    other.downscale_ratio = other.upscale_ratio = 4
    grey = torch.full((1, 8, 8, 3), 0.25)
    assert torch.equal(other.encode(grey), torch.full((1, 3, 2, 2), -0.5))
    assert torch.equal(other.decode(torch.full((1, 3, 2, 2), -0.5)), grey)
    wired = leave(other)
    assert isinstance(wired, AuthorsVae)
    assert wired.ratio == 4
    assert torch.equal(wired.decode(torch.full((1, 3, 2, 2), -0.5)), grey)


class Duck:
    """A plugin's own: seven channels, frames in a row."""

    downscale_ratio = 16
    latent_channels = 7

    def encode(self, pixels):
        return torch.zeros(len(pixels), 7, pixels.shape[1] // 16, pixels.shape[2] // 16)

    def decode(self, latent):
        return torch.ones(len(latent), 2, latent.shape[-2] * 16, latent.shape[-1] * 16, 3)


def test_an_authors_own_vae_works_in_our_nodes():
    duck = Duck()
    wired = need_vae(leave(duck))
    assert enter(wired) is duck
    samples = wired.encode(encodable(torch.zeros(1, 32, 32, 3), wired, "pixels"))
    assert samples.shape == (1, 7, 2, 2)
    assert wired.decode(decodable({"samples": samples}, wired, "samples")).shape == (2, 32, 32, 3)


def test_a_network_that_says_its_ratio_is_a_vae_and_a_bare_one_is_not():
    bare = Halves()
    assert leave(bare) is bare
    bare.downscale_ratio = 4
    wired = leave(bare)
    assert isinstance(wired, AuthorsVae)
    assert wired.ratio == 4
    assert enter(wired) is bare


def test_values_that_are_no_vae_cross_as_they_are():
    for value in ("text", 3, b"bytes", torch.zeros(1), nn.Linear(1, 1), {"a": 1}, VAE):
        assert leave(value) is value
