import pytest
import torch

from engine.errors import Cancelled, CheckpointError
from engine.models.control import ControlResiduals
from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from tests.engine.models.nets import UNETS, apart, layout, randomised, shapes, twin_controlnet, twin_unet


def inputs(config, cells=8):
    generator = torch.Generator().manual_seed(1)
    return {
        "x": torch.randn(2, config.in_channels, cells, cells, generator=generator),
        "hint": torch.rand(2, 3, cells * 8, cells * 8, generator=generator),
        "timesteps": torch.tensor([3.0, 741.25]),
        "context": torch.randn(2, 5, config.context_width, generator=generator),
        "y": None if config.class_width is None else torch.randn(2, config.class_width, generator=generator),
    }


def agreement(config: UNetConfig) -> float:
    net = randomised(ControlNet(ControlNetConfig(config)))
    given = inputs(config)
    with torch.inference_mode():
        ours = net(**given)
        theirs = twin_controlnet(net, config)(
            given["x"],
            given["timesteps"],
            encoder_hidden_states=given["context"],
            controlnet_cond=given["hint"],
            class_labels=given["y"],
        )
    assert len(ours.input) == len(theirs.down_block_res_samples)
    places = [*zip(ours.input, theirs.down_block_res_samples, strict=True), (ours.middle, theirs.mid_block_res_sample)]
    return max(apart(mine, reference) for mine, reference in places)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "miniature"])
def test_every_family_agrees_with_diffusers(name):
    assert agreement(UNETS[name]) < 1e-4


@pytest.mark.slow
def test_the_real_sd15_controlnet_agrees_with_diffusers():
    assert agreement(UNetConfig()) < 1e-4


def test_a_controlled_unet_agrees_with_diffusers():
    config = UNETS["sd1"]
    unet, net = randomised(UNet(config)), randomised(ControlNet(ControlNetConfig(config)), seed=2)
    given = inputs(config)
    with torch.inference_mode():
        control = net(**given).scaled(0.7)
        hint = given.pop("hint")
        theirs = twin_controlnet(net, config)(
            given["x"], given["timesteps"], given["context"], hint, conditioning_scale=0.7, return_dict=False
        )
        reference = twin_unet(unet, config)(
            given["x"],
            given["timesteps"],
            encoder_hidden_states=given["context"],
            down_block_additional_residuals=theirs[0],
            mid_block_additional_residual=theirs[1],
        ).sample
        assert apart(unet(**given, control=control), reference) < 1e-4
        assert apart(unet(**given), reference) > 0.01


def test_names_and_shapes_are_those_of_the_published_checkpoint():
    published = layout("controlnet_sd15")
    with torch.device("meta"):
        assert shapes(ControlNet(ControlNetConfig.from_shapes(published))) == published


def test_an_untrained_controlnet_changes_nothing():
    config = UNETS["sd1"]
    given = inputs(config)
    control = ControlNet(ControlNetConfig(config))(**given)
    assert all(residual.abs().max() == 0 for residual in (*control.input, control.middle))


def test_training_begins_with_the_unets_encoder():
    unet, net = UNet(UNETS["sdxl"]), ControlNet(ControlNetConfig(UNETS["sdxl"]))
    net.copy_encoder(unet)
    shared = {name: tensor for name, tensor in unet.state_dict().items() if name in net.state_dict()}
    assert {name.partition(".")[0] for name in shared} == {"time_embed", "label_emb", "input_blocks", "middle_block"}
    assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in shared.items())


def test_every_weight_learns():
    config = UNETS["sd1"]
    net = randomised(ControlNet(ControlNetConfig(config))).train()
    # 16 cells leave the middle block 2 × 2: over a single token attention's queries and keys have no say.
    control = net(**inputs(config, cells=16))
    sum(residual.square().mean() for residual in (*control.input, control.middle)).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_cancelling_stops_between_blocks():
    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ControlNet(ControlNetConfig(UNETS["sd1"]))(**inputs(UNETS["sd1"]), cancelled=cancel)


def test_a_file_without_a_controlnet_says_so():
    with pytest.raises(CheckpointError, match="no ControlNet inside"):
        ControlNetConfig.from_shapes({"input_blocks.0.0.weight": (32, 4, 3, 3)})


def test_several_controls_add_up_place_by_place():
    one, two = torch.ones(1), torch.full((1,), 2.0)
    both = ControlResiduals((one, None), middle=one).added(ControlResiduals((two, two, two), encoder=(one,)))
    assert both == ControlResiduals((one + two, two, two), middle=one, encoder=(one,))


def test_strength_scales_every_place():
    one = torch.ones(1)
    assert ControlResiduals((one, None), one, (one,)).scaled(0.5) == ControlResiduals(
        (one / 2, None), one / 2, (one / 2,)
    )
