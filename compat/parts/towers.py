"""Text encoders out of weights: the modules that a CLIP object holds, for what a loader has found."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import TensorFile, in_memory
from engine.checkpoints.texts import CLIP_L, Tower, tower
from engine.devices.patches import Patches
from engine.devices.residency import Part
from engine.errors import CheckpointError
from engine.text.clip import TextEncoder
from engine.values import Clip


def stage_model(clip: Clip, projection: Tensor | None = None) -> Any:
    """The module of one of our text encoders as a family's plugins know it."""
    encoder = encoder_of(clip, projection)
    if clip.encoder_id == "clip_g":
        return comfy.sdxl_clip.SDXLRefinerClipModel(encoder=encoder)
    if clip.encoder_id == "clip_h":
        return comfy.sd2_clip.SD2ClipModel(encoder=encoder)
    return comfy.sd1_clip.SD1ClipModel(encoder=encoder)


def encoder_of(clip: Clip, projection: Tensor | None = None, *, is_kept: bool = True) -> Any:
    """One of our text encoders as an SDClipModel of its kind.

    Unless the engine keeps its weights (`is_kept`), the module holds them itself, for plugins to move and to patch.
    """
    kinds = {"clip_g": comfy.sdxl_clip.SDXLClipG, "clip_h": comfy.sd2_clip.SD2ClipHModel}
    kind = kinds.get(clip.encoder_id, comfy.sd1_clip.SDClipModel)
    options: dict[str, Any] = {"return_projected_pooled": False} if kind is comfy.sd1_clip.SDClipModel else {}
    options["layer_norm_hidden_state"] = clip.final_norm
    if is_kept:
        made = kind.around(clip.part, clip.keeper, f"{clip.encoder_id}.transformer.text_model.", **options)
    else:
        _bring_for_good(clip.part)
        made = kind(tower=clip.part.module, dtype=clip.part.place.dtype, **options)
    if clip.last_layer != -1 or not clip.final_norm:
        made.set_clip_options({"layer": clip.last_layer})
        made.options_default = (made.layer, made.layer_idx, made.return_projected_pooled)
    if projection is not None:
        made.transformer.text_projection = _projection(projection)
    return made


def encoders_of(stage: Any) -> dict[str, Any]:
    """The encoders inside a family's module, by the member that holds them."""
    return {name: module for name, module in stage.named_children() if isinstance(module, comfy.sd1_clip.SDClipModel)}


def give_patches(patcher: Any, patches: Patches) -> None:
    """Gives a patcher further changes of weights, as the engine has them."""
    for name, each in patches.items():
        key = patcher.residence.prefix + name
        entries = [
            patch.delta.entry
            if isinstance(patch.delta, AuthorsDelta)
            else (patch.strength, EngineAdapter(patch.delta, patch=patch), 1.0, None, None)
            for patch in each
        ]
        patcher.patches[key] = [*patcher.patches.get(key, []), *entries]
    patcher.patches_uuid = uuid.uuid4()


def tokenizer_of(clip: Clip) -> Any:
    """The tokenizer of one of our text encoders as plugins know it."""
    folders = [str(folder) for folder in clip.embeddings.folders]
    kinds = {"clip_g": comfy.sdxl_clip.SDXLRefinerTokenizer, "clip_h": comfy.sd2_clip.SD2Tokenizer}
    kind = kinds.get(clip.encoder_id, comfy.sd1_clip.SD1Tokenizer)
    return kind(embedding_directory=folders, ours=clip.tokenizer, embedding_size=clip.part.module.text_config.width)


def read(files: Sequence[TensorFile], loader: Loader) -> list[tuple[Clip, Tensor | None]]:
    """The text encoders of some files, each with its projection where it has one. Raises: CheckpointError."""
    return [(loader.text_encoder(file), tower(file).projection) for file in files]


def pair_model(found: Sequence[tuple[Clip, Tensor | None]]) -> tuple[Any, Any]:
    """SDXL's two encoders as one module, and their tokenizers. Raises: CheckpointError, for any other two."""
    by_name = {clip.encoder_id: (clip, projection) for clip, projection in found}
    if set(by_name) != {"clip_l", "clip_g"}:
        raise CheckpointError(
            f"these files hold {' and '.join(clip.encoder_id for clip, _ in found)}; of several text encoders only "
            "CLIP-L with CLIP-G, SDXL's two, can be used together so far"
        )
    (small, _), (large, projection) = by_name["clip_l"], by_name["clip_g"]
    small = replace(small, final_norm=False, last_layer=-2)
    encoders = encoder_of(small, is_kept=False), encoder_of(large, projection, is_kept=False)
    model = comfy.sdxl_clip.SDXLClipModel(encoders=encoders)
    folders = [str(folder) for folder in small.embeddings.folders]
    return model, comfy.sdxl_clip.SDXLTokenizer(embedding_directory=folders)


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
    if found.projection is not None:
        model.transformer.text_projection = _projection(found.projection)
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
        network = {name: tensor for name, tensor in named.items() if not name.startswith("text_projection")}
        return Tower(CLIP_L, network, named.get("text_projection.weight"))


def _projection(weight: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    linear.weight = nn.Parameter(weight.detach(), requires_grad=False)
    return linear
