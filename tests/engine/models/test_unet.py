import pytest
import torch
from torch import Tensor

from engine.errors import Cancelled, CheckpointError, SamplingError
from engine.models.control import ControlResiduals
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from tests.engine.models.nets import UNETS, apart, layout, norms, randomised, shapes, twin_unet

SD1 = UNETS["sd1"]


def inputs(config: UNetConfig, size: tuple[int, int] = (8, 8)) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, config.in_channels, *size, generator=generator)
    context = torch.randn(2, 5, config.context_width, generator=generator)
    y = None if config.class_width is None else torch.randn(2, config.class_width, generator=generator)
    return x, torch.tensor([3.0, 741.25]), context, y


def agreement(config: UNetConfig, size: tuple[int, int] = (8, 8)) -> float:
    net = randomised(UNet(config))
    x, timesteps, context, y = inputs(config, size)
    with torch.inference_mode():
        theirs = twin_unet(net, config)(x, timesteps, encoder_hidden_states=context, class_labels=y).sample
        return apart(net(x, timesteps, context, y), theirs)


@pytest.mark.parametrize("name", UNETS)
def test_every_family_agrees_with_diffusers(name):
    assert agreement(UNETS[name]) < 1e-4


@pytest.mark.parametrize("name", UNETS)
def test_norms_are_those_of_diffusers(name):
    net = UNet(UNETS[name])
    assert norms(net) == norms(twin_unet(net, UNETS[name]))


def test_latents_of_odd_size_agree_with_diffusers():
    assert agreement(SD1, size=(9, 13)) < 1e-4


@pytest.mark.slow
def test_the_real_sd15_agrees_with_diffusers():
    assert agreement(UNetConfig(), size=(8, 8)) < 1e-4


@pytest.mark.parametrize("name", ["sd15", "sd15_inpainting", "sd21", "sdxl_base"])
def test_names_and_shapes_are_those_of_published_checkpoints(name):
    published = layout(name, "model.diffusion_model.")
    with torch.device("meta"):
        assert shapes(UNet(UNetConfig.from_shapes(published))) == published


@pytest.mark.parametrize("name", UNETS)
def test_shapes_decide_the_configuration(name):
    config = UNETS[name]
    heads = config.heads if config.head_width is None else None
    found = UNetConfig.from_shapes(shapes(UNet(config)), heads=heads)
    if config.head_width is not None:
        # 64 is the rule for families with linear projections; the small twins are narrower than one such head.
        assert found.head_width == 64
        found = UNetConfig(**{**vars(found), "head_width": config.head_width})
    assert found == config


def test_sd1_has_eight_heads_and_the_others_heads_of_width_64():
    sd1 = UNetConfig.from_shapes(layout("sd15", "model.diffusion_model."))
    sdxl = UNetConfig.from_shapes(layout("sdxl_base", "model.diffusion_model."))
    assert [sd1.heads_at(320), sd1.heads_at(1280)] == [8, 8]
    assert [sdxl.heads_at(640), sdxl.heads_at(1280)] == [10, 20]


@pytest.mark.parametrize("middle_depth", [0, None])
def test_distilled_nets_may_lack_parts_of_the_middle(middle_depth):
    config = UNetConfig(**{**vars(UNETS["sdxl"]), "middle_depth": middle_depth})
    net = UNet(config)
    assert UNetConfig.from_shapes(shapes(net)).middle_depth == middle_depth
    x, timesteps, context, y = inputs(config)
    assert net(x, timesteps, context, y).shape == x.shape


def test_every_weight_and_the_text_learn():
    net = randomised(UNet(UNETS["sdxl"])).train()
    x, timesteps, context, y = inputs(UNETS["sdxl"])
    context.requires_grad_()
    net(x, timesteps, context, y).square().mean().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []
    assert context.grad.abs().sum() > 0


def test_a_net_that_needs_a_vector_says_so():
    x, timesteps, context, _ = inputs(UNETS["sdxl"])
    net = UNet(UNETS["sdxl"])
    with pytest.raises(SamplingError, match=r"expects a vector of width 56 .* none came"):
        net(x, timesteps, context)
    with pytest.raises(SamplingError, match="one of width 3 came"):
        net(x, timesteps, context, torch.zeros(2, 3))


def test_a_file_without_a_unet_says_so():
    with pytest.raises(CheckpointError, match="no UNet inside"):
        UNetConfig.from_shapes({"something.weight": (3, 3)})


def test_cancelling_stops_between_blocks():
    net = UNet(SD1)
    ran: list[int] = []
    for index, block in enumerate(net.input_blocks):
        block.register_forward_hook(lambda *_, index=index: ran.append(index))

    def cancel_after_three() -> None:
        if len(ran) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        net(*inputs(SD1)[:3], cancelled=cancel_after_three)
    assert ran == [0, 1, 2]


def test_control_reaches_the_decoder_but_not_the_encoder():
    net = randomised(UNet(SD1))
    x, timesteps, context, _ = inputs(SD1)
    seen: dict[str, Tensor] = {}
    net.middle_block.register_forward_pre_hook(lambda _, given: seen.update(middle=given[0]))
    net.output_blocks[0].register_forward_pre_hook(lambda _, given: seen.update(output=given[0]))
    with torch.inference_mode():
        net(x, timesteps, context)
        before = dict(seen)
        last = torch.full_like(before["middle"], 0.25)
        net(x, timesteps, context, control=ControlResiduals((None,) * 11 + (last,), middle=last * 3))
    width = before["middle"].shape[1]
    assert torch.equal(seen["middle"], before["middle"])
    torch.testing.assert_close(seen["output"][:, :width], before["output"][:, :width] + 0.75)
    torch.testing.assert_close(seen["output"][:, width:], before["output"][:, width:] + 0.25)


def test_adapter_features_flow_on_through_the_encoder():
    net = randomised(UNet(SD1))
    x, timesteps, context, _ = inputs(SD1)
    outputs: list[Tensor] = []
    net.input_blocks[2].register_forward_hook(lambda _, __, result: outputs.append(result))
    net.input_blocks[3].register_forward_pre_hook(lambda _, given: outputs.append(given[0]))
    feature = torch.full((2, 32, 8, 8), 0.5)
    with torch.inference_mode():
        net(x, timesteps, context, control=ControlResiduals(encoder=(None, None, feature)))
    torch.testing.assert_close(outputs[1], outputs[0] + feature)
