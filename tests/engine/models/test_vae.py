import pytest
import torch

from engine.errors import CheckpointError
from engine.models.vae import AutoencoderKL, VAEConfig
from tests.engine.models.nets import VAES, apart, layout, norms, randomised, shapes, twin_vae


def agreements(config: VAEConfig, pixels: tuple[int, int]) -> list[float]:
    net = randomised(AutoencoderKL(config))
    twin = twin_vae(net, config)
    picture = torch.rand(2, 3, *pixels, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        mean, logvar = net.moments(picture)
        posterior = twin.encode(picture).latent_dist
        return [
            apart(mean, posterior.mean),
            apart(logvar, posterior.logvar),
            apart(net.encode(picture), posterior.mode()),
            apart(net.decode(mean), twin.decode(mean).sample),
        ]


@pytest.mark.parametrize("name", VAES)
def test_every_family_agrees_with_diffusers(name):
    assert max(agreements(VAES[name], (32, 48))) < 1e-4


@pytest.mark.parametrize("name", VAES)
def test_norms_are_those_of_diffusers(name):
    net = AutoencoderKL(VAES[name])
    assert norms(net) == norms(twin_vae(net, VAES[name]))


@pytest.mark.slow
def test_the_real_sd15_autoencoder_agrees_with_diffusers():
    assert max(agreements(VAEConfig(), (64, 64))) < 1e-4


@pytest.mark.parametrize("name", ["sd15", "sd21", "sdxl_base"])
def test_names_and_shapes_are_those_of_published_checkpoints(name):
    published = layout(name, "first_stage_model.")
    config = VAEConfig.from_shapes(published)
    assert config == VAEConfig()
    with torch.device("meta"):
        assert shapes(AutoencoderKL(config)) == published


@pytest.mark.parametrize("name", VAES)
def test_shapes_decide_the_configuration(name):
    assert VAEConfig.from_shapes(shapes(AutoencoderKL(VAES[name]))) == VAES[name]


def test_a_latent_cell_is_as_wide_as_the_levels_say():
    net = AutoencoderKL(VAEConfig(channels=32, multipliers=(1, 2, 4)))
    assert net.downscale == 4
    assert net.encode(torch.zeros(1, 3, 16, 24)).shape == (1, 4, 4, 6)
    assert net.decode(torch.zeros(1, 4, 4, 6)).shape == (1, 3, 16, 24)


def test_decoding_does_not_clamp():
    net = AutoencoderKL(VAES["sd1"])
    torch.nn.init.constant_(net.decoder.conv_out.bias, 7.0)
    assert net.decode(torch.zeros(1, 4, 2, 2)).max() > 5


def test_every_weight_learns():
    net = randomised(AutoencoderKL(VAES["miniature"])).train()
    mean, logvar = net.moments(torch.randn(1, 3, 16, 16))
    (net.decode(mean).square().mean() + logvar.square().mean()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_a_file_without_an_autoencoder_says_so():
    with pytest.raises(CheckpointError, match="no autoencoder inside"):
        VAEConfig.from_shapes({"taesd_decoder.1.weight": (64, 4, 3, 3)})
