"""ComfyUI's core nodes as classes that draw, load and control: against our own nodes."""

from pathlib import Path

import pytest
import torch

from compat.host import Host
from engine.graph.run import Run
from tests.compat.light.our_nodes import cond, ours

torch.manual_seed(0)


# ------------------------------------------------------------------------------------------------------------- drawing


def test_drawing_is_our_nodes(nodes, parts, loaded, host: Host):
    model, clip, _ = parts
    positive, negative = (nodes.CLIPTextEncode().encode(clip, text)[0] for text in ("a", "b"))
    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    (made,) = nodes.KSampler().sample(model, 5, 3, 2.5, "dpmpp_2m", "karras", positive, negative, latent)
    wanted = ours(
        host, "KSampler", model=loaded.model, seed=5, steps=3, cfg=2.5, sampler_name="dpmpp_2m", scheduler="karras",
        positive=positive, negative=negative, latent_image=latent,
    )  # fmt: skip
    assert torch.allclose(made["samples"], wanted["samples"], atol=1e-4)
    common = nodes.common_ksampler(model, 5, 3, 2.5, "dpmpp_2m", "karras", positive, negative, {**latent, "mine": 1})[0]
    assert torch.equal(common["samples"], made["samples"])
    assert common["mine"] == 1


def test_drawing_in_two_parts_is_drawing_once(nodes, parts):
    model, clip, _ = parts
    (text,) = nodes.CLIPTextEncode().encode(clip, "a")
    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    given = (4, 2.0, "euler", "normal", text, text)
    (once,) = nodes.KSampler().sample(model, 1, *given, latent)
    (half,) = nodes.KSamplerAdvanced().sample(model, "enable", 1, *given, latent, 0, 2, "enable")
    (rest,) = nodes.KSamplerAdvanced().sample(model, "disable", 1, *given, half, 2, 10000, "disable")
    assert torch.allclose(once["samples"], rest["samples"], atol=1e-4)


def test_a_replaced_sample_function_is_what_draws(nodes, parts, monkeypatch):
    import comfy.sample

    monkeypatch.setattr(comfy.sample, "sample", lambda *given, **named: torch.full((1, 4, 8, 8), 7.0))
    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    (made,) = nodes.KSampler().sample(parts[0], 1, 1, 1.0, "euler", "normal", [], [], latent)
    assert made["samples"].unique().tolist() == [7.0]


def test_drawing_tells_the_running_node(nodes, parts, host: Host):
    told = []
    (text,) = nodes.CLIPTextEncode().encode(parts[1], "a")
    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    with host.node(Run("3", told.append)):
        nodes.common_ksampler(parts[0], 1, 2, 1.0, "euler", "normal", text, text, latent)
    assert [(each.value, each.maximum) for each in told if type(each).__name__ == "Progress"] == [(1, 2), (2, 2)]


def test_a_plugin_extends_a_samplers_inputs(nodes):
    class Mine(nodes.KSampler):
        @classmethod
        def INPUT_TYPES(cls):
            inputs = nodes.KSampler.INPUT_TYPES()
            inputs["required"]["extra"] = ("INT", {"default": 1})
            return inputs

    assert "extra" in Mine.INPUT_TYPES()["required"]
    assert "extra" not in nodes.KSampler.INPUT_TYPES()["required"]
    assert "euler" in nodes.KSamplerAdvanced.INPUT_TYPES()["required"]["sampler_name"][0]


# ------------------------------------------------------------------------------------------------------------- loaders


def test_a_lora_is_our_nodes(nodes, parts, loaded, host: Host):
    name = "tiny.safetensors"
    loader = nodes.LoraLoader()
    model, clip = loader.load_lora(parts[0], parts[1], name, 0.8, 0.5)
    assert loader.loaded_lora[0] == str(host.folders.path("loras", name))
    wanted = ours(
        host, "LoraLoader", model=loaded.model, clip=loaded.clip, lora_name=name, strength_model=0.8, strength_clip=0.5
    )
    text = nodes.CLIPTextEncode().encode(clip, "x")[0]
    assert torch.allclose(text[0][0], ours(host, "CLIPTextEncode", clip=wanted[1], text="x")[0][0], atol=1e-5)
    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    given = {"seed": 1, "steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal"}
    given |= {"positive": text, "negative": text, "latent_image": latent}
    (made,) = nodes.KSampler().sample(model, **given)
    assert torch.allclose(made["samples"], ours(host, "KSampler", model=wanted[0], **given)["samples"], atol=1e-4)
    assert loader.load_lora(parts[0], None, "not read", 0, 0) == (parts[0], None)
    alone = nodes.LoraLoaderModelOnly().load_lora_model_only(parts[0], name, 0.8)
    assert torch.allclose(nodes.KSampler().sample(alone[0], **given)[0]["samples"], made["samples"], atol=1e-5)


def test_a_vae_is_loaded_by_name(nodes, host: Host):
    assert nodes.VAELoader.vae_list()[-1] == "pixel_space"
    (vae,) = nodes.VAELoader().load_vae("pixel_space")
    pixels = torch.rand(1, 16, 16, 3)
    assert torch.allclose(vae.decode(vae.encode(pixels)), pixels, atol=1e-6)
    (vae,) = nodes.VAELoader().load_vae("tiny.safetensors")
    assert vae.decode(torch.zeros(1, 4, 2, 2)).shape == (1, 16, 16, 3)


def test_a_vision_model_is_looked_for_in_its_folder(nodes, host: Host, tmp_path: Path, monkeypatch):
    import comfy.clip_vision

    host.folders.add_folder("clip_vision", tmp_path)
    torch.save({"no": torch.zeros(1)}, tmp_path / "a.pt")
    assert "a.pt" in nodes.CLIPVisionLoader.INPUT_TYPES()["required"]["clip_name"][0]
    monkeypatch.setattr(comfy.clip_vision, "load", lambda path: None)
    with pytest.raises(RuntimeError, match=r"a\.pt: no vision model"):
        nodes.CLIPVisionLoader().load_clip("a.pt")
    monkeypatch.setattr(comfy.clip_vision, "load", lambda path: Path(path).name)
    assert nodes.CLIPVisionLoader().load_clip("a.pt") == ("a.pt",)


def test_loaders_describe_their_choices(nodes):
    assert "flux" in nodes.DualCLIPLoader.INPUT_TYPES()["required"]["type"][0]
    assert "stable_diffusion" in nodes.CLIPLoader.INPUT_TYPES()["required"]["type"][0]
    assert nodes.CheckpointLoaderSimple.RETURN_TYPES == ("MODEL", "CLIP", "VAE")
    names = nodes.CheckpointLoaderSimple.INPUT_TYPES()["required"]["ckpt_name"][0]
    assert names.kind == "checkpoints"
    with pytest.raises(FileNotFoundError):
        nodes.CheckpointLoaderSimple().load_checkpoint("missing.safetensors")


# -------------------------------------------------------------------------------------------------------------- control


class Control:
    """A plugin's own control object: what the nodes may ask of it, and nothing else."""

    def __init__(self) -> None:
        self.previous = "none set"

    def copy(self):
        return Control()

    def set_cond_hint(self, hint, strength=1.0, timestep_percent_range=(0.0, 1.0), vae=None, extra_concat=()):
        self.hint, self.strength, self.range = hint, strength, timestep_percent_range
        return self

    def set_previous_controlnet(self, previous):
        self.previous = previous
        return self


def test_plugins_own_controls_are_applied(nodes):
    image, control = torch.rand(1, 8, 8, 3), Control()
    both = cond(1, 0.0) + cond(1, 1.0, control="before")
    positive, negative = nodes.ControlNetApplyAdvanced().apply_controlnet(both, both, control, image, 0.5, 0.1, 0.9)
    first, second = (entry[1]["control"] for entry in positive)
    assert first is negative[0][1]["control"]
    assert (first.strength, first.range, first.previous) == (0.5, (0.1, 0.9), None)
    assert (second.previous, second is first) == ("before", False)
    assert torch.equal(first.hint, image.movedim(-1, 1))
    assert positive[0][1]["control_apply_to_uncond"] is False
    ((_, options), _) = nodes.ControlNetApply().apply_controlnet(both, control, image, 2.0)[0]
    assert (options["control"].strength, options["control_apply_to_uncond"]) == (2.0, True)
    assert nodes.ControlNetApply().apply_controlnet(both, control, image, 0)[0] is both


def test_a_controlnet_draws_as_our_nodes_do(nodes, parts, loaded, host: Host):
    name = "tiny.safetensors"
    (control,) = nodes.ControlNetLoader().load_controlnet(name)
    (text,) = nodes.CLIPTextEncode().encode(parts[1], "a")
    image, latent = torch.rand(1, 64, 64, 3), nodes.EmptyLatentImage().generate(64, 64)[0]
    sides = nodes.ControlNetApplyAdvanced().apply_controlnet(text, text, control, image, 0.9, 0.0, 1.0)
    (made,) = nodes.KSampler().sample(parts[0], 1, 2, 2.0, "euler", "normal", *sides, latent)
    net = host.loader.controlnet(host.folders.path("controlnet", name))
    applied = ours(
        host, "ControlNetApplyAdvanced", positive=text, negative=text, control_net=net, image=image, strength=0.9,
        start_percent=0.0, end_percent=1.0,
    )  # fmt: skip
    wanted = ours(
        host, "KSampler", model=loaded.model, seed=1, steps=2, cfg=2.0, sampler_name="euler", scheduler="normal",
        positive=applied[0], negative=applied[1], latent_image=latent,
    )  # fmt: skip
    assert torch.allclose(made["samples"], wanted["samples"], atol=1e-4)
