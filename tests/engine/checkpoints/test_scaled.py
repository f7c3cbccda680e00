"""Files whose 8-bit weights have scales, against the same numbers written out."""

import pytest
import torch

from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.devices.device import Devices
from engine.errors import CheckpointError
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from tests.engine.models.nets import randomised

FP8 = torch.float8_e4m3fn
SMALL = UNetConfig(model_channels=32, context_width=768, heads=8)


def is_scaled(name, tensor):
    return name.endswith("weight") and tensor.ndim == 2


@pytest.fixture(autouse=True)
def one_thread():
    """Layers this small take longer to share out than to work out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def scaled():
    """A denoiser's tensors, its matrices in 8 bits with scales."""
    found = {}
    for name, tensor in randomised(UNet(SMALL), seed=4).state_dict().items():
        key = f"model.diffusion_model.{name}"
        if is_scaled(name, tensor):
            scale = tensor.abs().max() / 448
            found[key] = (tensor / scale).to(FP8)
            found[key.removesuffix("weight") + "scale_weight"] = scale
            found[key.removesuffix("weight") + "scale_input"] = torch.tensor(1.0)
        else:
            found[key] = tensor.half()
    return {**found, "model.diffusion_model.scaled_fp8": torch.empty(2, dtype=FP8)}


def by_hand(scaled):
    """The same tensors multiplied out."""
    made = {name: tensor.float() for name, tensor in scaled.items() if "scale" not in name}
    for name in made:
        factor = scaled.get(name.removesuffix("weight") + "scale_weight")
        made[name] = made[name] if factor is None else made[name] * factor
    return made


def drawn(model):
    x, context = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)), torch.ones(1, 3, 768)
    with torch.no_grad(), model.ready() as network:
        return network(x, torch.tensor([500.0]), context)


@pytest.mark.parametrize("budget", [None, 1_000_000, 0])
def test_scaled_weights_draw_what_they_mean(scaled, budget):
    model = Loader(Devices(budget=budget)).denoiser(in_memory("scaled.safetensors", scaled))
    plain = Loader().denoiser(in_memory("plain.safetensors", by_hand(scaled)))
    torch.testing.assert_close(drawn(model), drawn(plain), rtol=0, atol=0)
    assert model.part.weights.stored["out.2.weight"].dtype == torch.float16
    assert model.part.weights.stored["time_embed.0.weight"].dtype == FP8


def test_scaled_weights_asked_for_in_eight_bits_stay_as_they_are(scaled):
    usual = Loader().denoiser(in_memory("scaled.safetensors", scaled))
    asked = Loader().denoiser(in_memory("scaled.safetensors", scaled), stored=torch.float8_e5m2)
    flagged = Loader(Devices(network_storage=FP8)).denoiser(in_memory("scaled.safetensors", scaled))
    assert torch.equal(drawn(asked), drawn(usual))
    assert torch.equal(drawn(flagged), drawn(usual))


def test_a_flag_has_the_denoiser_rest_in_eight_bits(scaled):
    plain = {name: tensor.half() for name, tensor in by_hand(scaled).items()}
    model = Loader(Devices(network_storage=FP8)).denoiser(in_memory("plain.safetensors", plain))
    assert {each.dtype for each in model.part.weights.values()} == {FP8}
    rounded = {name: tensor.to(FP8) for name, tensor in plain.items()}
    expected = Loader().denoiser(in_memory("rounded.safetensors", rounded))
    assert torch.equal(drawn(model), drawn(expected))


def test_a_scale_that_is_missing_or_wrong_is_named(scaled):
    name = "model.diffusion_model.time_embed.0.scale_weight"
    without = {key: tensor for key, tensor in scaled.items() if key != name}
    with pytest.raises(CheckpointError, match=r"scaled.safetensors: the denoiser: .*no scale_weight for time_embed.0"):
        Loader().denoiser(in_memory("scaled.safetensors", without))
    for wrong in (torch.ones(3), torch.tensor(float("nan"))):
        with pytest.raises(CheckpointError, match=r"the scale of time_embed.0.weight \[128, 32\]"):
            Loader().denoiser(in_memory("scaled.safetensors", {**scaled, name: wrong}))
