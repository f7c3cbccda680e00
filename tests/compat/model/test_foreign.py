"""Models that plugins build themselves, on our wires."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compat.crossing import enter, leave
from engine.errors import LatentwireError
from engine.values import Model


class Net(nn.Module):
    """A plugin's network."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, bias=False)
        self.dtype = torch.float32

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor, **kwargs: Any) -> Tensor:
        return self.linear(x.movedim(1, -1)).movedim(-1, 1)


@pytest.fixture
def foreign(model: Any) -> Any:
    """As WanVideoWrapper does it: a BaseModel without a network, then the plugin's own in it."""
    from comfy import latent_formats, supported_models_base
    from comfy.model_base import BaseModel, ModelType
    from comfy.model_patcher import ModelPatcher

    class Config(supported_models_base.BASE):
        unet_config: dict[str, Any] = {}
        latent_format = latent_formats.Wan21
        sampling_settings = {"shift": 5.0}

    config = Config({"disable_unet_model_creation": True, "in_channels": 4})

    class Shell(BaseModel):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.pipeline: dict[str, Any] = {}

        def __getitem__(self, key: str) -> Any:
            return self.pipeline[key]

        def __setitem__(self, key: str, value: Any) -> None:
            self.pipeline[key] = value

    shell = Shell(config, model_type=ModelType.FLOW, device="cpu")
    shell["dtype"] = torch.float32
    shell.diffusion_model = Net()
    return ModelPatcher(shell, "cpu", "cpu")


def test_a_plugins_model_goes_over_our_wires_and_comes_back(foreign: Any) -> None:
    left = leave(foreign)
    assert isinstance(left, Model)
    assert enter(left) is foreign
    assert left.prediction.kind == "flow"
    assert left.prediction.table.shift == 5.0
    assert left.latent_format.channels == 16
    z = torch.randn(1, 16, 1, 2, 2)
    assert torch.allclose(left.latent_format.to_latent(left.latent_format.to_model(z)), z, atol=1e-5)
    assert foreign.model["dtype"] == torch.float32


def test_a_plugins_model_says_what_its_network_says(foreign: Any) -> None:
    x = torch.randn(1, 4, 3, 3)
    sigma = torch.tensor([0.4])
    with torch.no_grad():
        got = foreign.model.apply_model(x, sigma, c_crossattn=torch.zeros(1, 1, 1), transformer_options={})
        assert torch.allclose(got, x - 0.4 * foreign.model.diffusion_model(x, sigma, None), atol=1e-6)


def test_a_family_without_a_network_here_is_refused_by_name() -> None:
    from comfy import supported_models

    config = supported_models.Flux({"image_model": "flux", "guidance_embed": True, "in_channels": 16})
    with pytest.raises(LatentwireError, match="Flux"):
        config.get_model({})
