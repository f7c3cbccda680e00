"""Every function of ComfyUI's that plugins replace, and that must be looked up at call time: theirs is what is called.

The names are those of plugin_surface.md, section 19, consequence (a).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from compat.host import Host
from engine.devices.device import PartKind
from engine.graph.prompt import Prompt
from tests.compat import graphs

Replace = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Replace:
    """replace(module, name, result) puts a function there that keeps the arguments of its calls.

    result: what it returns, or a function of (original, arguments …) that says so; without one, what the original does.
    """

    def put(module: Any, name: str, result: Any = None) -> list[tuple[Any, ...]]:
        calls: list[tuple[Any, ...]] = []
        original = getattr(module, name)

        def theirs(*args: Any, **options: Any) -> Any:
            calls.append(args)
            if result is None:
                return original(*args, **options)
            return result(original, *args, **options) if callable(result) else result

        monkeypatch.setattr(module, name, theirs)
        return calls

    return put


def draws(host: Host, **inputs: Any) -> Tensor:
    """What our own nodes draw in a graph."""
    graph = graphs.drawing(**{"steps": 2, "cfg": 3.0, **inputs})
    host.engine.executor.cache.clear()
    found = host.engine.executor.execute(Prompt.from_json(graph), targets=["4"]).check().values["4"][0][0]["samples"]
    assert isinstance(found, Tensor)
    return found


def path(host: Host, kind: str = "checkpoints") -> str:
    return str(host.folders.path(kind, "tiny.safetensors"))


def test_comfy_sample_sample(host: Host, replace: Replace) -> None:
    import comfy.sample

    calls = replace(comfy.sample, "sample", torch.full((1, 4, 8, 8), 7.0))
    assert torch.equal(draws(host), torch.full((1, 4, 8, 8), 7.0))
    assert len(calls) == 1


def test_comfy_sample_sample_custom(host: Host, replace: Replace) -> None:
    import comfy.sample
    import comfy.samplers
    import comfy.sd
    from comfy_extras.nodes_custom_sampler import SamplerCustom

    calls = replace(comfy.sample, "sample_custom", torch.full((1, 4, 8, 8), 7.0))
    model = comfy.sd.load_checkpoint_guess_config(path(host))[0]
    text = [[torch.zeros(1, 77, 64), {}]]
    sampler, sigmas = comfy.samplers.sampler_object("euler"), torch.tensor([1.0, 0.0])
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    found = SamplerCustom().sample(model, True, 1, 3.0, text, text, sampler, sigmas, latent)
    assert torch.equal(found[0]["samples"], torch.full((1, 4, 8, 8), 7.0))
    assert len(calls) == 1


def test_comfy_sample_prepare_noise(host: Host, replace: Replace) -> None:
    import comfy.sample

    usual = draws(host)
    calls = replace(comfy.sample, "prepare_noise", lambda original, latent, seed, *rest: original(latent, 99, *rest))
    other = draws(host)
    assert len(calls) == 1
    assert not torch.allclose(usual, other)
    torch.testing.assert_close(other, draws(host, seed=99))


def test_comfy_samplers_sampling_function(host: Host, replace: Replace) -> None:
    import comfy.samplers

    calls = replace(comfy.samplers, "sampling_function", lambda original, model, x, *rest, **options: x * 0)
    assert torch.allclose(draws(host), torch.zeros(1, 4, 8, 8), atol=1e-5)
    assert len(calls) == 2


def test_comfy_samplers_calculate_sigmas(host: Host, replace: Replace) -> None:
    import comfy.samplers

    karras = draws(host, scheduler="karras")
    calls = replace(comfy.samplers, "calculate_sigmas", lambda original, ms, name, steps: original(ms, "karras", steps))
    torch.testing.assert_close(draws(host), karras)
    assert [call[1] for call in calls] == ["normal"]


def test_comfy_k_diffusion_sampling_default_noise_sampler(host: Host, replace: Replace) -> None:
    import comfy.k_diffusion.sampling

    usual = draws(host, sampler_name="euler_ancestral")
    calls = replace(
        comfy.k_diffusion.sampling,
        "default_noise_sampler",
        lambda original, x, **options: lambda sigma, sigma_next: torch.zeros_like(x),
    )
    assert not torch.allclose(draws(host, sampler_name="euler_ancestral"), usual)
    assert len(calls) == 1


def test_comfy_model_management_load_models_gpu(host: Host, replace: Replace) -> None:
    import comfy.model_management

    usual = draws(host)
    calls = replace(comfy.model_management, "load_models_gpu")
    torch.testing.assert_close(draws(host), usual)
    assert calls


def test_comfy_lora_calculate_weight(host: Host, replace: Replace) -> None:
    import comfy.lora
    import comfy.sd
    import comfy.utils

    calls = replace(comfy.lora, "calculate_weight", lambda original, patches, weight, key, *rest, **options: weight)
    model = comfy.sd.load_checkpoint_guess_config(path(host))[0]
    before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    patched = comfy.sd.load_lora_for_models(model, None, comfy.utils.load_torch_file(path(host, "loras")), 1.0, 0.0)[0]
    patched.patch_model()
    assert calls
    assert all(torch.equal(tensor, before[name]) for name, tensor in patched.model.state_dict().items())
    patched.unpatch_model()


def test_comfy_utils_load_torch_file(host: Host, replace: Replace) -> None:
    import comfy.controlnet
    import comfy.sd
    import comfy.utils

    import nodes

    calls = replace(comfy.utils, "load_torch_file")
    model, clip = comfy.sd.load_checkpoint_guess_config(path(host))[:2]
    comfy.controlnet.load_controlnet(path(host, "controlnet"))
    comfy.sd.load_diffusion_model(path(host))
    nodes.LoraLoader().load_lora(model, clip, "tiny.safetensors", 1.0, 1.0)  # type: ignore[attr-defined]  # furnished
    kinds = [str(call[0]).replace("\\", "/").split("/")[-2] for call in calls]
    assert kinds == ["checkpoints", "controlnet", "checkpoints", "loras"]


def loads(host: Host) -> dict[str, list[Any]]:
    """What the loaders of a graph make, by class."""
    file = "tiny.safetensors"
    graph = {
        "CheckpointLoaderSimple": {"ckpt_name": file},
        "VAELoader": {"vae_name": file},
        "ControlNetLoader": {"control_net_name": file},
        "LoraLoader": {
            "model": ["CheckpointLoaderSimple", 0],
            "clip": ["CheckpointLoaderSimple", 1],
            "lora_name": file,
            "strength_model": 1.0,
            "strength_clip": 1.0,
        },
    }
    prompt = Prompt.from_json({name: {"class_type": name, "inputs": given} for name, given in graph.items()})
    host.engine.executor.cache.clear()
    values = host.engine.executor.execute(prompt, targets=[*graph]).check().values
    return {name: [slot[0] for slot in values[name]] for name in graph}


def test_comfy_utils_load_torch_file_in_the_loaders_of_a_graph(host: Host, replace: Replace) -> None:
    import comfy.utils

    def emptied(original: Any, ckpt: str, **options: Any) -> Any:
        return {name: torch.zeros_like(tensor) for name, tensor in original(ckpt, **options).items()}

    assert any(tensor.any() for tensor in loads(host)["VAELoader"][0].part.weights.values())
    calls = replace(comfy.utils, "load_torch_file", emptied)
    made = loads(host)
    kinds = sorted(str(call[0]).replace("\\", "/").split("/")[-2] for call in calls)
    assert kinds == ["checkpoints", "controlnet", "loras", "vae"]
    for name in ("CheckpointLoaderSimple", "VAELoader", "ControlNetLoader"):
        assert not any(tensor.any() for tensor in made[name][0].part.weights.values())
    (patch, *_), *_ = made["LoraLoader"][0].patches.values()
    assert not patch.delta.up.any()


def test_what_a_file_says_of_itself_is_known_though_a_plugin_reads_it(
    host: Host, replace: Replace, tmp_path: Path
) -> None:
    import comfy.utils

    from compat import files

    file = tmp_path / "told.safetensors"
    comfy.utils.save_torch_file({"a": torch.ones(1)}, file, {"modelspec.prediction_type": "v"})
    calls = replace(comfy.utils, "load_torch_file")
    assert files.read(file).metadata["modelspec.prediction_type"] == "v"
    assert len(calls) == 1
    theirs = tmp_path / "packed.gguf"
    theirs.write_bytes(b"GGUF")
    replace(comfy.utils, "load_torch_file", {"a": torch.ones(1)})
    assert (files.read(theirs).metadata, list(files.read(theirs).shapes)) == ({}, ["a"])


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("get_torch_device", ("network", "text", "vae")),
        ("text_encoder_device", ("text",)),
        ("vae_device", ("vae",)),
    ],
)
def test_comfy_model_management_s_devices_in_the_loaders_of_a_graph(
    host: Host, replace: Replace, name: str, moved: tuple[str, ...]
) -> None:
    import comfy.model_management

    from compat.machine import places

    ours = host.loader.devices
    assert places.named(ours) is ours
    replace(comfy.model_management, name, "meta")
    devices = places.named(ours)
    kinds: tuple[PartKind, ...] = ("network", "text", "vae")
    assert [kind for kind in kinds if devices.place(kind).device.type == "meta"] == [*moved]
    made = loads(host)
    for node, slot, kind in (
        ("CheckpointLoaderSimple", 0, "network"),
        ("CheckpointLoaderSimple", 2, "vae"),
        ("VAELoader", 0, "vae"),
        ("ControlNetLoader", 0, "network"),
    ):
        assert (made[node][slot].part.place.device.type == "meta") is (kind in moved)
    assert torch.device(comfy.model_management.vae_device()) == torch.device("meta" if "vae" in moved else "cpu")
    assert host.loader.devices is ours


@pytest.mark.parametrize(
    ("name", "part", "where"),
    [
        ("get_torch_device", 0, "load_device"),
        ("unet_offload_device", 0, "offload_device"),
        ("text_encoder_device", 1, "load_device"),
        ("text_encoder_offload_device", 1, "offload_device"),
    ],
)
def test_comfy_model_management_s_devices(host: Host, replace: Replace, name: str, part: int, where: str) -> None:
    import comfy.model_management
    import comfy.sd

    calls = replace(comfy.model_management, name, torch.device("meta"))
    found = comfy.sd.load_checkpoint_guess_config(path(host))[part]
    assert calls
    assert getattr(found.patcher if part else found, where) == torch.device("meta")


def test_comfy_model_management_soft_empty_cache(host: Host, replace: Replace) -> None:
    import comfy.model_management
    import comfy.sd

    model = comfy.sd.load_checkpoint_guess_config(path(host))[0]
    comfy.model_management.load_models_gpu([model])
    calls = replace(comfy.model_management, "soft_empty_cache")
    comfy.model_management.unload_all_models()
    assert calls


def test_latent_preview_get_previewer(host: Host, replace: Replace) -> None:
    import latent_preview

    calls = replace(latent_preview, "get_previewer")
    draws(host)
    assert len(calls) == 1
