"""Merging, hypernetworks and hooks under ComfyUI's module names: the built-in nodes, with authors' values."""

import torch

from compat.host import Host
from tests.compat.sampling.conftest import relative


def test_hooks_are_made_and_put_on_texts_through_the_old_names(host: Host) -> None:
    import comfy.hooks
    from comfy_extras.nodes_hooks import CreateHookModelAsLora, SetClipHooks

    import nodes

    assert list(CreateHookModelAsLora.INPUT_TYPES()["required"]) == ["ckpt_name", "strength_model", "strength_clip"]
    (hooks,) = CreateHookModelAsLora().create_hook("tiny.safetensors", 0.5, 0.5)
    assert isinstance(hooks, comfy.hooks.HookGroup)
    _, clip, _ = nodes.CheckpointLoaderSimple().load_checkpoint("tiny.safetensors")
    (hooked,) = SetClipHooks().apply_hooks(clip, True, False, hooks=hooks)
    found = hooked.encode_from_tokens_scheduled(hooked.tokenize("a cat"))
    assert found[0][1]["hooks"] == hooks
    # The way from a checkpoint to itself is none.
    assert relative(found[0][0], clip.encode_from_tokens(clip.tokenize("a cat"))) < 1e-5


def test_models_are_merged_through_the_old_names(host: Host) -> None:
    from comfy_extras.nodes_model_merging import ModelMergeSubtract

    import nodes

    model, _, _ = nodes.CheckpointLoaderSimple().load_checkpoint("tiny.safetensors")
    (nothing,) = ModelMergeSubtract().merge(model, model, 1.0)
    key = "diffusion_model.out.2.weight"
    nothing.load(torch.device("cpu"))
    assert float(nothing.model.state_dict()[key].abs().max()) == 0.0
    nothing.detach()
