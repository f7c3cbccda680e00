"""Text encoders out of weights: the modules that a CLIP object holds, for what a loader has found."""

import uuid
from collections.abc import Mapping
from typing import Any

import comfy.sd1_clip
import comfy.sd2_clip
import comfy.sdxl_clip
import torch
from comfy.weight_adapter import EngineAdapter
from torch import Tensor, nn

from compat.host import host
from compat.patcher.weights import AuthorsDelta
from compat.residence import Residence
from engine.checkpoints.keys import clip_name
from engine.checkpoints.tensors import in_memory
from engine.checkpoints.texts import CLIP_L, Tower, tower
from engine.devices.patches import Patches
from engine.devices.residency import Keeper, Part
from engine.errors import CheckpointError
from engine.text.clip import TextEncoder
from engine.values import Clip, Encoder


def stage_model(clip: Clip) -> Any:
    """The module of our text encoders as their family's plugins know it."""
    made = {each.id: encoder_of(each, clip.keeper) for each in clip.encoders}
    if set(made) == {"clip_l", "clip_g"}:
        return comfy.sdxl_clip.SDXLClipModel(encoders=(made["clip_l"], made["clip_g"]))
    (only,) = clip.encoders
    if only.id == "clip_g":
        return comfy.sdxl_clip.SDXLRefinerClipModel(encoder=made["clip_g"])
    if only.id == "clip_h":
        return comfy.sd2_clip.SD2ClipModel(encoder=made["clip_h"])
    return comfy.sd1_clip.SD1ClipModel(encoder=made[only.id])


def encoder_of(encoder: Encoder, keeper: Keeper) -> Any:
    """One of our text encoders as an SDClipModel of its kind; the engine keeps its weights."""
    kinds = {"clip_g": comfy.sdxl_clip.SDXLClipG, "clip_h": comfy.sd2_clip.SD2ClipHModel}
    kind = kinds.get(encoder.id, comfy.sd1_clip.SDClipModel)
    made = kind.around(
        encoder.part,
        keeper,
        prefix_of(encoder.id),
        layer_norm_hidden_state=encoder.final_norm,
        return_projected_pooled=encoder.is_projected,
    )
    if encoder.last_layer != -1 or not encoder.final_norm:
        made.set_clip_options({"layer": encoder.last_layer})
        made.options_default = (made.layer, made.layer_idx, made.return_projected_pooled)
    return made


def prefix_of(id: str) -> str:
    """What plugins' names for the weights of one of our text encoders begin with."""
    return f"{id}.transformer.text_model."


def patches_from(patcher: Any) -> Patches:
    """The changes of weights that a patcher of text encoders has, as Clip names them."""
    residence = patcher.residence
    named = {residence.prefix + name: each for name, each in patcher.engine_patches().items()}
    return {name.replace(".transformer.text_model.", ".", 1): each for name, each in named.items()}


def encoders_of(stage: Any) -> dict[str, Any]:
    """The encoders inside a family's module, by the member that holds them."""
    return {name: module for name, module in stage.named_children() if isinstance(module, comfy.sd1_clip.SDClipModel)}


def give_patches(patcher: Any, patches: Patches) -> None:
    """Gives a patcher further changes of weights, as Clip names them."""
    for name, each in patches.items():
        encoder, _, rest = name.partition(".")
        key = prefix_of(encoder) + rest
        entries = [
            patch.delta.entry
            if isinstance(patch.delta, AuthorsDelta)
            else (patch.strength, EngineAdapter(patch.delta, patch=patch), 1.0, None, None)
            for patch in each
        ]
        patcher.patches[key] = [*patcher.patches.get(key, []), *entries]
    patcher.patches_uuid = uuid.uuid4()


def tokenizer_of(clip: Clip) -> Any:
    """The tokenizers of our text encoders as plugins know them."""
    folders = [str(folder) for folder in clip.embeddings.folders]
    if len(clip.encoders) > 1:
        return comfy.sdxl_clip.SDXLTokenizer(embedding_directory=folders)
    (only,) = clip.encoders
    kinds = {"clip_g": comfy.sdxl_clip.SDXLRefinerTokenizer, "clip_h": comfy.sd2_clip.SD2Tokenizer}
    kind = kinds.get(only.id, comfy.sd1_clip.SD1Tokenizer)
    return kind(embedding_directory=folders, ours=only.tokenizer, embedding_size=only.width)


def with_weights(model: Any, given: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """Gives an encoder these weights over those it has. Returns: names missing, and names not known.

    Raises: CheckpointError.
    """
    found = _tower(given)
    module, residence = model.transformer.text_model, model.residence
    before = dict(residence.part.weights) if residence is not None else _real(module)
    wanted = dict(module.named_parameters())
    tensors = {**before, **{name: tensor for name, tensor in found.tensors.items() if name in wanted}}
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise CheckpointError(
            f"these weights lack {len(missing)} of the text encoder's {len(wanted)} tensors, such as {missing[0]}"
        )
    wrong = [name for name, tensor in tensors.items() if tensor.shape != wanted[name].shape]
    if wrong:
        raise CheckpointError(
            f"{wrong[0]} is {list(tensors[wrong[0]].shape)}, this text encoder has {list(wanted[wrong[0]].shape)}"
        )
    with torch.device("meta"):
        fresh = TextEncoder(module.text_config)
    loader = host().loader
    part = Part("a plugin's text encoder", fresh, tensors, loader.devices.place("text"))
    if residence is None:
        _bring_for_good(part)
    else:
        model.residence = Residence(part, loader.keeper, residence.prefix)
    model.transformer.text_model = fresh
    return missing, [name for name in found.tensors if name not in wanted]


def _bring_for_good(part: Part[Any]) -> None:
    """The module has its weights from now on; nobody keeps them."""
    part.arrive()
    for module in part.module.modules():
        if "position_ids" in module._buffers:
            positions = module._buffers["position_ids"].shape[-1]
            module._buffers["position_ids"] = torch.arange(positions, device=part.place.device)[None]


def _real(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in module.named_parameters() if not tensor.is_meta}


def _tower(given: Mapping[str, Tensor]) -> Tower:
    try:
        return tower(in_memory("a state dict", given))
    except CheckpointError:
        # Some of the weights only: whose they are is known already.
        named = {clip_name(name): tensor for name, tensor in given.items()}
        return Tower(CLIP_L, named)
