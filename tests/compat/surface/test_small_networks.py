"""comfy.taesd, comfy.gligen and the names around diffusers: against diffusers' own networks."""

import pytest
import torch
from torch import Tensor

from compat.host import Host


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_taesd_is_diffusers_tiny_autoencoder(host: Host, generator):
    import comfy.taesd.taesd
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    theirs = AutoencoderTiny().eval()
    ours = comfy.taesd.taesd.TAESD().eval()
    state = theirs.state_dict()
    encoder = {name.removeprefix("encoder.layers."): each for name, each in state.items() if name.startswith("enc")}
    decoder = {name.removeprefix("decoder.layers."): each for name, each in state.items() if name.startswith("dec")}
    ours.taesd_encoder.load_state_dict(encoder)
    # Ours begins with the clamp that is a part of diffusers' forward.
    ours.taesd_decoder.load_state_dict({_moved(name): each for name, each in decoder.items()})
    picture = torch.rand(1, 3, 32, 32, generator=generator) * 2 - 1
    with torch.no_grad():
        latent = ours.encode(picture)
        torch.testing.assert_close(latent, theirs.encode(picture).latents)
        torch.testing.assert_close(ours.decode(latent), theirs.decode(latent).sample, atol=1e-4, rtol=1e-4)
        ours.vae_scale.fill_(2.0)
        ours.vae_shift.fill_(0.5)
        torch.testing.assert_close(ours.encode(picture), latent / 2 + 0.5)
        torch.testing.assert_close(ours.decode(latent / 2 + 0.5), theirs.decode(latent).sample, atol=1e-4, rtol=1e-4)


def _moved(name: str) -> str:
    number, _, rest = name.partition(".")
    return f"{int(number) + 1}.{rest}"


def test_the_pieces_of_taesd(host: Host):
    from comfy.taesd.taesd import Block, Clamp, conv

    assert conv(2, 3, stride=2)(torch.zeros(1, 2, 8, 8)).shape == (1, 3, 4, 4)
    assert Block(2, 3)(torch.zeros(1, 2, 8, 8)).shape == (1, 3, 8, 8)
    torch.testing.assert_close(Clamp()(torch.tensor([100.0, 0.003])), torch.tensor([3.0, 0.003]), atol=1e-6, rtol=1e-4)


@pytest.fixture
def gligen_weights(generator) -> dict[str, Tensor]:
    import comfy.gligen

    torch.manual_seed(1)
    made = {}
    for place, width in (("input_blocks.1.1", 32), ("input_blocks.10.1", 64), ("middle_block.1", 64)):
        module = comfy.gligen.GatedSelfAttentionDense(width, 24, width // 64 or 1)
        torch.nn.init.ones_(module.alpha_attn)
        torch.nn.init.ones_(module.alpha_dense)
        head = f"{place}.transformer_blocks.0.fuser."
        made.update({head + name: each for name, each in module.state_dict().items()})
    position = comfy.gligen.PositionNet(16, 24)
    torch.nn.init.normal_(position.null_positive_feature)
    torch.nn.init.normal_(position.null_position_feature)
    made.update({f"position_net.{name}": each for name, each in position.state_dict().items()})
    return made


def test_gligen_is_diffusers_gated_attention(host: Host, gligen_weights, generator):
    import comfy.gligen
    from diffusers.models.attention import GatedSelfAttentionDense as Theirs
    from diffusers.models.embeddings import GLIGENTextBoundingboxProjection

    model = comfy.gligen.load_gligen(gligen_weights)
    assert [module.linear.weight.shape[0] for module in model.module_list] == [32, 64, 64]
    phrase = torch.randn(1, 16, generator=generator)
    patch = model.set_position((2, 4, 16, 8), [(phrase, 4, 2, 8, 4)], "cpu")
    x = torch.randn(2, 12, 64, generator=generator)
    found = patch(x, {"transformer_index": 1})
    projection = GLIGENTextBoundingboxProjection(positive_len=16, out_dim=24)
    projection.load_state_dict({n.removeprefix("position_net."): w for n, w in gligen_weights.items() if n[0] == "p"})
    boxes, masks, phrases = torch.zeros(1, 30, 4), torch.zeros(1, 30), torch.zeros(1, 30, 16)
    boxes[0, 0], masks[0, 0], phrases[0, 0] = torch.tensor([4 / 8, 8 / 16, 6 / 8, 12 / 16]), 1.0, phrase[0]
    head = "input_blocks.10.1.transformer_blocks.0.fuser."
    module = Theirs(64, 24, 1, 64)
    weights = {name.removeprefix(head): each for name, each in gligen_weights.items() if name.startswith(head)}
    module.load_state_dict(weights)
    with torch.no_grad():
        objects = projection(boxes=boxes, masks=masks, positive_embeddings=phrases)
        expected = module(x, objects.expand(2, -1, -1))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(model.set_empty((2, 4, 16, 8), "cpu")(x, {"transformer_index": 1}), found)


def test_a_plugin_may_put_its_own_way_of_placing_objects(host: Host, gligen_weights, monkeypatch):
    import comfy.gligen

    model = comfy.gligen.load_gligen(gligen_weights)
    monkeypatch.setattr(comfy.gligen.Gligen, "_set_position", lambda self, boxes, masks, phrases: boxes.shape)
    assert model.set_position((2, 4, 16, 8), [], "cpu") == (2, 30, 4)


def test_diffusers_folders_are_read(host: Host, tmp_path):
    import comfy.diffusers_convert
    import comfy.diffusers_load
    from safetensors.torch import load_file, save_file

    whole = load_file(host.folders.path("checkpoints", "tiny.safetensors"))

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): each for name, each in whole.items() if name.startswith(prefix)}

    for folder, prefix, name in (
        ("unet", "model.diffusion_model.", "diffusion_pytorch_model.safetensors"),
        ("text_encoder", "cond_stage_model.transformer.", "model.safetensors"),
        ("vae", "first_stage_model.", "diffusion_pytorch_model.safetensors"),
    ):
        (tmp_path / folder).mkdir()
        save_file(part(prefix), tmp_path / folder / name)
    model, clip, vae = comfy.diffusers_load.load_diffusers(str(tmp_path))
    ours = host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors"))
    assert torch.equal(clip.encode("a cat"), ours.clip.encode("a cat")[0])
    assert torch.equal(vae.decode(torch.ones(1, 4, 8, 8)), ours.vae.decode(torch.ones(1, 4, 8, 8)))
    assert model.model_dtype() == torch.float32
    assert comfy.diffusers_convert.load_diffusers is comfy.diffusers_load.load_diffusers
