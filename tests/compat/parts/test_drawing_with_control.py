"""A drawing with ControlNets: our way and ComfyUI's give the same picture; plugins' own controls are asked."""

import pytest
import torch
from comfy.controlnet import ControlBase

from compat.crossing import enter, leave
from engine.conditioning import ControlHint
from engine.graph.run import Run
from nodes.convert import with_control
from nodes.sampling import Drawing, Guidance, Walk


@pytest.fixture
def net(host):
    return host.loader.controlnet(host.folders.path("controlnet", "tiny.safetensors"))


@pytest.fixture
def sides(loaded):
    return [[[loaded.clip.encode(text)[0], {}]] for text in ("a cat", "blurry")]


@pytest.fixture
def draw(host, loaded):
    def drawn(model, positive, negative):
        from compat.drawing import Drawing as Chosen

        latent = {"samples": torch.zeros(2, 4, 8, 8)}
        run = Run("1", lambda event: None)
        walk = Walk("euler", "normal", 3, 1)
        return Chosen().draw(model, latent, Guidance(positive, negative, 4.0), walk, run)["samples"]

    return drawn


def _changed(model):
    """The same model, changed by a plugin in a way that makes no difference."""
    patcher = enter(model).clone()
    patcher.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    return leave(patcher)


@pytest.mark.parametrize("on_negative", [True, False])
def test_both_ways_give_the_same_picture(loaded, net, sides, draw, on_negative):
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    hints = [ControlHint(net, image, 0.8, 0.0, 0.7), ControlHint(net, 1 - image, 0.4)]
    positive, negative = sides
    for hint in hints:
        positive = with_control(positive, hint, on_negative=on_negative)
    ours, theirs = draw(loaded.model, positive, negative), draw(_changed(loaded.model), positive, negative)
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(ours, draw(loaded.model, *sides), atol=1e-3)


class Same(ControlBase):
    """A plugin's own control that asks for what ours asks for, and counts how often it is asked."""

    def __init__(self, inner, counts):
        super().__init__()
        self.inner, self.counts = inner, counts

    def copy(self):
        made = Same(self.inner, self.counts)
        self.copy_to(made)
        return made

    def pre_run(self, model, percent_to_timestep_function):
        super().pre_run(model, percent_to_timestep_function)
        self.inner = self.inner.copy().set_cond_hint(self.cond_hint_original, self.strength)
        self.inner.pre_run(model, percent_to_timestep_function)

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        before = self.previous_control(x_noisy, t, cond, batched_number, transformer_options)
        self.counts.append(len(x_noisy))
        found = self.inner.get_control(x_noisy, t, cond, batched_number, transformer_options)
        self.strength, strength = 1.0, self.strength
        merged = self.control_merge(found, before, None)
        self.strength = strength
        return merged


def test_a_plugins_own_control_draws_in_a_chain_with_ours(loaded, net, sides, draw):
    counts = []
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    wired = leave(Same(enter(net), counts))
    hints = [ControlHint(net, image, 0.8), ControlHint(net, 1 - image, 0.4)]
    mixed = [hints[0], ControlHint(wired, hints[1].image, 0.4)]
    pictures = []
    for chain in (hints, mixed):
        positive, negative = sides
        for hint in chain:
            positive = with_control(positive, hint, on_negative=False)
            negative = with_control(negative, hint, on_negative=False)
        pictures.append(draw(loaded.model, positive, negative))
    torch.testing.assert_close(pictures[1], pictures[0], atol=1e-4, rtol=1e-4)
    assert counts == [4, 4, 4]


def test_a_control_lora_is_the_net_it_differs_from_the_unet_by(loaded, host, sides, draw, tmp_path):
    import comfy.controlnet
    from safetensors.torch import save_file

    from engine.models.controlnet import ControlNet, ControlNetConfig
    from tests.nodes.conftest import UNET, weights

    base = {name: each.float() for name, each in loaded.model.part.weights.items()}
    net = weights(ControlNet(ControlNetConfig(unet=UNET, hint_widths=(16, 16, 16, 16))), "", 3)
    shared = ("time_embed.", "input_blocks.", "middle_block.")
    own = {name: each for name, each in net.items() if not name.startswith(shared)}
    place = "input_blocks.1.0.in_layers.2"
    up, down = torch.randn(32, 2) * 0.1, torch.randn(2, 32, 3, 3) * 0.1
    changes = {"lora_controlnet": torch.zeros(0), f"{place}.up": up, f"{place}.down": down}
    save_file({**own, **changes}, tmp_path / "lora.safetensors")
    whole = {**{name: each for name, each in base.items() if name.startswith(shared)}, **own}
    product = torch.einsum("or,rikl->oikl", up, down)
    whole[f"{place}.weight"] = whole[f"{place}.weight"] + product
    save_file(whole, tmp_path / "whole.safetensors")
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    pictures = []
    for name in ("lora", "whole"):
        control = comfy.controlnet.load_controlnet(str(tmp_path / f"{name}.safetensors"))
        hint = ControlHint(leave(control), image)
        pictures.append(draw(loaded.model, with_control(sides[0], hint, on_negative=False), sides[1]))
    assert isinstance(control, comfy.controlnet.ControlNet)
    torch.testing.assert_close(pictures[0], pictures[1], atol=1e-3, rtol=1e-3)


def test_our_own_drawing_is_used_where_no_plugin_takes_part(loaded, net, sides, draw, monkeypatch):
    asked = []
    ours = Drawing.draw
    monkeypatch.setattr(Drawing, "draw", lambda self, *args: asked.append(1) or ours(self, *args))
    hint = ControlHint(net, torch.zeros(1, 3, 64, 64))
    draw(loaded.model, with_control(sides[0], hint, on_negative=False), sides[1])
    assert asked == [1]
