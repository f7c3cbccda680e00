import pytest
import torch
from diffusers import T2IAdapter as Theirs

from engine.checkpoints.controls import adapter_names
from engine.errors import CheckpointError
from engine.models.t2i_adapter import AdapterConfig, T2IAdapter
from engine.models.unet import UNet
from tests.engine.models.nets import UNETS, apart, layout, randomised, shapes, twin_unet

KINDS = {
    "full_adapter": {"channels": [32, 64, 128, 128], "in_channels": 3, "downscale_factor": 8},
    "full_adapter_xl": {"channels": [32, 64, 128, 128], "in_channels": 1, "downscale_factor": 16},
    # The light one of diffusers says its last width only once.
    "light_adapter": {"channels": [32, 64, 128], "in_channels": 3, "downscale_factor": 8, "num_res_blocks": 4},
}
SIZES = {"full_adapter": (104, 64), "full_adapter_xl": (112, 64), "light_adapter": (72, 64)}


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks are slower with more, and other work shares the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def both(kind: str):
    """One of diffusers' adapters and ours, with the same weights."""
    theirs = randomised(Theirs(adapter_type=kind, **KINDS[kind]), seed=3)
    names = adapter_names(shapes(theirs))
    weights = {names[name]: tensor for name, tensor in theirs.state_dict().items()}
    ours = T2IAdapter(AdapterConfig.from_shapes({name: tuple(each.shape) for name, each in weights.items()}))
    ours.load_state_dict(weights)
    return theirs, ours.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_agrees_with_diffusers(kind):
    theirs, ours = both(kind)
    hint = torch.rand(2, KINDS[kind]["in_channels"], *SIZES[kind], generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found, expected = ours(hint), theirs(hint)
    assert len(found) == len(expected) == 4
    assert max(apart(mine, reference) for mine, reference in zip(found, expected, strict=True)) < 1e-4


@pytest.mark.parametrize(("kind", "name"), [("full_adapter", "sd1"), ("full_adapter_xl", "sdxl")])
def test_an_adapted_unet_agrees_with_diffusers(kind, name):
    config = UNETS[name]
    theirs, adapter = both(kind)
    unet = randomised(UNet(config))
    generator = torch.Generator().manual_seed(2)
    hint = torch.rand(2, KINDS[kind]["in_channels"], 64, 64, generator=generator)
    x, context = (torch.randn(shape, generator=generator) for shape in ((2, 4, 8, 8), (2, 5, config.context_width)))
    y = None if config.class_width is None else torch.randn(2, config.class_width, generator=generator)
    times = torch.tensor([3.0, 741.25])
    with torch.inference_mode():
        control = adapter.placed(adapter(hint)).scaled(0.7)
        expected = twin_unet(unet, config)(
            x,
            times,
            encoder_hidden_states=context,
            class_labels=y,
            down_intrablock_additional_residuals=[0.7 * feature for feature in theirs(hint)],
        ).sample
        assert apart(unet(x, times, context, y, control), expected) < 1e-4
        assert apart(unet(x, times, context, y), expected) > 0.01


@pytest.mark.parametrize("name", ["t2i_adapter_sd15", "t2i_adapter_light_sd15"])
def test_names_and_shapes_are_those_of_the_published_adapters(name):
    published = layout(name)
    with torch.device("meta"):
        assert shapes(T2IAdapter(AdapterConfig.from_shapes(published))) == published


def test_halving_by_a_convolution_is_read_off_the_file():
    with torch.device("meta"):
        learned = shapes(T2IAdapter(AdapterConfig(widths=(8, 16, 32, 32), kernel=3, learns_halving=True)))
    assert learned["body.2.down_opt.op.weight"] == (8, 8, 3, 3)
    config = AdapterConfig.from_shapes(learned)
    assert (config.learns_halving, config.kernel, config.widths) == (True, 3, (8, 16, 32, 32))


def test_a_file_that_is_none_or_folds_otherwise_says_so():
    with pytest.raises(CheckpointError, match="no T2I-Adapter inside"):
        AdapterConfig.from_shapes({"conv_in.weight": (320, 192, 3, 3)})
    with pytest.raises(CheckpointError, match="100 folded channels, expected a multiple of 64"):
        AdapterConfig.from_shapes({"conv_in.weight": (8, 100, 3, 3), "body.0.block1.weight": (8, 8, 3, 3)})
