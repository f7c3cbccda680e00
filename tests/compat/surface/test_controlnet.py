"""comfy.controlnet, comfy.cldm and comfy.t2i_adapter: what plugins subclass, build, read and write."""

import pytest
import torch
from safetensors.torch import load_file

from compat.host import Host
from engine.errors import CheckpointError, SamplingError
from tests.nodes.conftest import UNET


@pytest.fixture
def controlnet(host: Host):
    import comfy.controlnet

    return comfy.controlnet


@pytest.fixture
def path(host: Host) -> str:
    return str(host.folders.path("controlnet", "tiny.safetensors"))


class Sampling:
    def calculate_input(self, sigma, x):
        return x

    def timestep(self, sigma):
        return sigma

    def percent_to_sigma(self, percent):
        return 1.0 - percent


class Model:
    model_sampling = Sampling()


def _asked(control, batch: int = 1):
    control.pre_run(Model(), Sampling().percent_to_sigma)
    generator = torch.Generator().manual_seed(5)
    x, text = (torch.randn(shape, generator=generator) for shape in ((batch, 4, 8, 8), (batch, 77, 64)))
    return control.get_control(x, torch.full((batch,), 0.5), {"c_crossattn": text}, 1, {})


def test_the_classes_are_a_family(controlnet):
    for kind in (controlnet.ControlNet, controlnet.ControlLora, controlnet.T2IAdapter, controlnet.ControlNetSD35):
        assert issubclass(kind, controlnet.ControlBase)
    base = controlnet.ControlBase()
    assert (base.strength, base.timestep_percent_range, base.compression_ratio) == (1.0, (0.0, 1.0), 8)
    assert (base.upscale_algorithm, base.extra_args, base.previous_controlnet) == ("nearest-exact", {}, None)
    assert (base.cond_hint, base.cond_hint_original, base.timestep_range, base.extra_hooks) == (None, None, None, None)
    assert (base.global_average_pooling, base.concat_mask, base.extra_concat_orig) == (False, False, [])
    assert base.strength_type is controlnet.StrengthType.CONSTANT
    picture = torch.ones(1)
    assert base.preprocess_image(picture) is picture


def test_a_file_and_its_tensors_ask_for_the_same(controlnet, path):
    file = controlnet.load_controlnet(path)
    tensors = controlnet.load_controlnet_state_dict(load_file(path))
    hint = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    asked = [_asked(each.copy().set_cond_hint(hint))["output"] for each in (file, tensors)]
    assert all(torch.equal(a, b) for a, b in zip(*asked, strict=True))
    assert file.get_models() == [file.control_model_wrapped]
    assert file.control_model.dtype == torch.float32
    assert file.inference_memory_requirements(torch.float16) == 0


def test_the_network_may_be_a_plugins_own(controlnet, path):
    import comfy.cldm.cldm

    class Louder(comfy.cldm.cldm.ControlNet):
        def forward(self, x, hint, timesteps, context, y=None, **kwargs):
            found = super().forward(x, hint, timesteps, context, y, **kwargs)
            return {place: [3 * each for each in tensors] for place, tensors in found.items()}

    network = Louder(
        in_channels=4,
        model_channels=32,
        hint_channels=3,
        num_res_blocks=1,
        channel_mult=(1, 2),
        transformer_depth=[1, 1],
        context_dim=64,
        num_heads=UNET.heads,
    ).eval()
    weights = load_file(path)
    wanted = network.state_dict()
    given = {name.removeprefix("control_model."): tensor.float() for name, tensor in weights.items()}
    fitting = {name: each for name, each in given.items() if name in wanted and each.shape == wanted[name].shape}
    network.load_state_dict(fitting, strict=False)
    torch.nn.init.ones_(network.zero_convs[0][0].bias)
    hint = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    control = controlnet.ControlNet(network, load_device="cpu").set_cond_hint(hint, 0.5)
    found = _asked(control)
    plain = comfy.cldm.cldm.ControlNet.__mro__[1].forward  # our network's own
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        x, text = (torch.randn(shape, generator=generator) for shape in ((1, 4, 8, 8), (1, 77, 64)))
        expected = plain(network, x, hint, torch.tensor([0.5]), text)
    torch.testing.assert_close(found["output"][0], 1.5 * expected.input[0])
    assert (network.dims, network.model_channels, network.num_classes, network.num_control_type) == (2, 32, None, None)


def test_what_a_plugin_writes_counts(controlnet, path):
    control = controlnet.load_controlnet(path).copy().set_cond_hint(torch.zeros(1, 3, 64, 64))
    black = _asked(control)["output"][0]
    control.cond_hint = torch.ones(1, 3, 64, 64)
    white = _asked(control)["output"][0]
    assert not torch.equal(black, white)
    other = control.copy().set_cond_hint(torch.ones(1, 3, 20, 20))
    assert torch.equal(_asked(other)["output"][0], white)
    control.control_model = lambda **given: {"output": [given["x"]], "middle": []}
    control.control_model.dtype = torch.float32
    assert _asked(control)["output"][0].shape == (1, 4, 8, 8)


def test_a_subclass_keeps_its_class_and_state_when_copied(controlnet, path):
    class Sub(controlnet.ControlNet):
        def copy(self):
            made = Sub(self.control_model, self.global_average_pooling, load_device=self.load_device)
            self.copy_to(made)
            made.mark = self.mark
            return made

    loaded = controlnet.load_controlnet(path)
    sub = Sub(loaded.control_model, load_device=loaded.load_device)
    sub.mark = 3
    copy = sub.set_cond_hint(torch.zeros(1, 3, 8, 8), 0.2).copy()
    assert (type(copy), copy.mark, copy.strength) == (Sub, 3, 0.2)


def test_a_net_of_latents_encodes_its_hint(controlnet, path, host):
    import comfy.latent_formats

    from compat.crossing import enter

    seen = []

    def network(**given):
        seen.append(given["hint"])
        return {"output": [given["x"]], "middle": []}

    network.dtype = torch.float32
    vae = enter(host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors")).vae)
    scaled = comfy.latent_formats.SD15()
    control = controlnet.ControlNet(None, compression_ratio=1, latent_format=scaled, concat_mask=True)
    control.control_model = network
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    _asked(control.set_cond_hint(picture, vae=vae))
    expected = vae.encode(picture.movedim(1, -1)) * 0.18215
    torch.testing.assert_close(seen[0][:, :4], expected)
    assert torch.equal(seen[0][:, 4:], torch.ones(1, 1, 8, 8))
    without = controlnet.ControlNet(None, compression_ratio=1, latent_format=scaled)
    without.control_model = network
    with pytest.raises(SamplingError, match="connect a VAE"):
        _asked(without.set_cond_hint(picture))


def test_adapters_fit_their_hint_to_their_unit(controlnet):
    class Net(torch.nn.Module):
        unshuffle_amount = 16

        def forward(self, hint):
            return [hint.mean().expand(1, 1, 1, 1)]

    adapter = controlnet.T2IAdapter(Net(), 3, 8, "bilinear", device="cpu")
    assert adapter.scale_image_to(65, 16) == (80, 16)
    copy = adapter.copy()
    assert (copy.channels_in, copy.upscale_algorithm, copy.t2i_model) == (3, "bilinear", adapter.t2i_model)
    found = _asked(copy.set_cond_hint(torch.full((1, 3, 8, 8), 0.5), 2.0))
    assert float(found["input"][0].mean()) == 1.0


def test_adapters_answer_with_lists_that_unets_take_from_the_end(controlnet):
    from comfy.t2i_adapter import adapter

    full = adapter.Adapter([32, 64, 128, 128], 2, 192, 1, sk=True, use_conv=False)
    found = full(torch.rand(1, 3, 64, 64))
    assert [None if each is None else each.shape[1] for each in reversed(found["input"])] == [
        *[None, None, 32],
        *[None, None, 64],
        *[None, None, 128],
        *[None, None, 128],
    ]
    assert (full.unshuffle_amount, full.input_channels, full.xl, found["middle"]) == (8, 3, False, [])
    wide = adapter.Adapter([32, 64, 128, 128], 2, 768, 1, sk=True, use_conv=False)
    assert (wide.unshuffle_amount, wide.xl, len(wide(torch.rand(1, 3, 64, 64))["middle"])) == (16, True, 1)
    light = adapter.Adapter_light([32, 64, 128, 128], 4, 64)
    assert (light.input_channels, len(light(torch.rand(1, 1, 64, 64))["input"])) == (1, 12)


def test_kinds_that_cannot_be_loaded_say_so(controlnet, tmp_path):
    import comfy.cldm.control_types
    from comfy.t2i_adapter import adapter
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"other\.safetensors: of an unknown kind, not a ControlNet"):
        controlnet.load_controlnet(str(tmp_path / "other.safetensors"))
    with pytest.raises(CheckpointError, match="load the file with StyleModelLoader"):
        adapter.StyleAdapter()
    assert comfy.cldm.control_types.UNION_CONTROLNET_TYPES["depth"] == 1
    with pytest.raises(AttributeError, match=r"comfy\.controlnet\.nothing"):
        _ = controlnet.nothing
