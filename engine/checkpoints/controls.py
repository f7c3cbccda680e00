"""What makes a denoiser follow a picture, from files of every layout: ControlNets, control-LoRAs, T2I-Adapters.

Source: node_behaviour.md C.3 and C.4; `controlnet` asks about the layouts in the order given there.
"""

import logging
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from engine.checkpoints.build import Builder
from engine.checkpoints.detect import OTHER_KINDS, network_prefix
from engine.checkpoints.family import find
from engine.checkpoints.tensors import Shapes, in_memory
from engine.devices.device import CPU
from engine.devices.patches import patched
from engine.devices.residency import Keeper, Part
from engine.errors import CheckpointError
from engine.models.gligen import NULL
from engine.models.shapes import numbered
from engine.models.t2i_adapter import T2IAdapter
from engine.values import Adapter, Control, ControlLora, ControlNet, Gligen, Model

log = logging.getLogger(__name__)

LORA = "lora_controlnet"
DIFFERENCE = "difference"
LDM = "control_model."
"""What the tensors of the first published ControlNets begin with."""

SHARED = ("time_embed.", "label_emb.", "input_blocks.", "middle_block.")
"""What a ControlNet has from the denoiser."""

FOREIGN: Mapping[str, str] = {
    "after_proj_list.18.bias": "a ControlNet of HunyuanDiT",
    "controlnet_x_embedder.weight": "a ControlNet of Flux",
    "controlnet_blocks.0.linear.weight": "a ControlNet of Flux",
    "controlnet_blocks.0.y_rms.weight": "a patch of Qwen-Image",
    "double_blocks.0.img_attn.norm.key_norm.scale": "a ControlNet of Flux",
    "transformer_blocks.0.img_mlp.net.0.proj.weight": "a ControlNet of Qwen-Image",
    "controlnet_blocks.0.weight": "a ControlNet of Stable Diffusion 3 or another diffusion transformer",
    "backbone.0.0.weight": "a ControlNet of Stable Cascade",
    "backbone.10.blocks.0.weight": "a ControlNet of Stable Cascade",
}
"""What we know when we see it, by a tensor that gives it away."""

OTHERS: Mapping[str, str] = {
    "style_embedding": "a style model; put it in models/style_models and load it with StyleModelLoader",
    NULL: "a GLIGEN; put it in models/gligen and load it with GLIGENLoader",
    "image_proj.proj.weight": "an IP-Adapter",
    "image_proj.latents": "an IP-Adapter",
}
"""What else people put into models/controlnet and detection of checkpoints does not know."""


def controlnet(builder: Builder, keeper: Keeper, base: Model | None = None) -> Control:
    """Whatever a file of models/controlnet holds. `base` is the model that a net may tell its difference to.

    Raises: CheckpointError, for a file that holds none (saying what it is), or a kind that we cannot run.
    """
    file, shapes = builder.file, builder.file.shapes
    # ComfyUI: the name alone says that a net's answers are to be averaged over the picture.
    is_pooled = file.path.stem.endswith(("_shuffle", "_shuffle_fp16"))
    if LORA in shapes:
        return _lora(builder, keeper, is_pooled)
    for prefix in ("", LDM):
        if any(f"{prefix}{mark}" in shapes for mark in ("controlnet_cond_embedding.conv_in.weight", _FIRST)):
            if f"{prefix}{_FIRST}" in shapes and DIFFERENCE in shapes:
                builder = _on_base(builder, prefix, base)
            return ControlNet(builder.controlnet(prefix), keeper, is_pooled)
    for mark, kind in FOREIGN.items():
        if mark in shapes:
            raise CheckpointError(
                f"{file.path.name}: {kind}, which is not supported yet; use one made for Stable Diffusion"
            )
    adapter = _adapter(builder)
    if adapter is None:
        raise CheckpointError(f"{file.path.name}: {_other(shapes)}")
    return Adapter(adapter, keeper)


_FIRST = "zero_convs.0.0.weight"


def grown(differences: Mapping[str, Tensor], base: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """A ControlNet's weights: the denoiser's, with the products of a control-LoRA on them, and what is all its own.

    Raises: CheckpointError, when it was made for another denoiser.
    """
    weights = {key: weight for key, weight in base.items() if key.startswith(SHARED)}
    for key, tensor in differences.items():
        module, _, end = key.rpartition(".")
        if end == "up":
            weights[f"{module}.weight"] = _changed(f"{module}.weight", differences, weights, name)
        elif end != "down" and key != LORA:
            weights[key] = tensor
    return weights


def _changed(key: str, differences: Mapping[str, Tensor], weights: Mapping[str, Tensor], name: str) -> Tensor:
    module = key.removesuffix(".weight")
    up, down, whole = differences[f"{module}.up"], differences.get(f"{module}.down"), weights.get(key)
    if down is None:
        raise CheckpointError(f"{name}: {module}.down is missing beside {module}.up; fetch the file again")
    if whole is None:
        raise CheckpointError(
            f"{name}: made for another model family; it changes {key}, which this model does not have"
        )
    if whole.is_meta:
        raise CheckpointError(f"{name}: {key} of the model is not in memory, so nothing can be added to it")
    rows, columns = up.shape[0], down[0].numel()
    if up[0].numel() != down.shape[0] or rows * columns != whole.numel() or rows != whole.shape[0]:
        raise CheckpointError(
            f"{name}: made for another model family; {key} of this model is {list(whole.shape)}, the change is "
            f"{list(up.shape)} times {list(down.shape)}"
        )
    product = up.to(whole.device, torch.float32).flatten(1) @ down.to(whole.device, torch.float32).flatten(1)
    return (whole.float() + product.reshape(whole.shape)).to(whole.dtype)


def _lora(builder: Builder, keeper: Keeper, is_pooled: bool) -> ControlLora:
    name = builder.file.path.name
    channels = builder.file.shapes.get("input_hint_block.0.weight", (0, 3))[1]

    def grow(denoiser: nn.Module) -> ControlNet:
        whole = in_memory(name, grown(builder.file.read(), _worn(denoiser), name))
        part = Builder(whole, builder.devices).controlnet("", getattr(denoiser, "config", None))
        return ControlNet(part, keeper, is_pooled)

    return ControlLora(f"the control-LoRA of {name}", grow, channels, is_pooled)


def _worn(denoiser: nn.Module) -> dict[str, Tensor]:
    """The weights that a denoiser and its ControlNet share, as they are now, with all changes.

    Those that only come to the device when they are read stay in memory, so that the ControlNet's may do the same.
    """
    found = {}
    for key, weight in denoiser.named_parameters():
        if key.startswith(SHARED):
            owner, _, leaf = key.rpartition(".")
            read: Tensor = getattr(denoiser.get_submodule(owner), leaf)
            found[key] = read.detach().cpu() if weight.is_meta else read.detach()
    return found


def _on_base(builder: Builder, prefix: str, base: Model | None) -> Builder:
    """The file with a model's weights added to those that only tell the difference."""
    file = builder.file
    if base is None:
        log.warning(
            "%s holds only the difference to its base model, and will guide wrongly without it; load it with "
            "DiffControlNetLoader",
            file.path.name,
        )
        return builder
    weights = file.read(prefix)
    for name, tensor in weights.items():
        under = base.part.weights.get(name)
        if under is None:
            continue
        if under.shape != tensor.shape:
            raise CheckpointError(
                f"{file.path.name}: the difference to another model; its {name} is {list(tensor.shape)}, the model's "
                f"{list(under.shape)}"
            )
        worn = patched(name, under, base.patches[name], CPU) if base.patches.get(name) else under
        weights[name] = (tensor.float() + worn.float().to(tensor.device)).to(tensor.dtype)
    whole = in_memory(file.path.name, {prefix + name: tensor for name, tensor in weights.items()}, file.metadata)
    return Builder(whole, builder.devices)


def _adapter(builder: Builder) -> Part[T2IAdapter] | None:
    """A T2I-Adapter, in its own layout or diffusers'; None when there is none. Raises: CheckpointError."""
    names = adapter_names(builder.file.shapes)
    if not {"body.0.block1.weight", "body.0.in_conv.weight"} & set(names.values()):
        return None
    return builder.adapter({names[name]: tensor for name, tensor in builder.file.read().items()})


def adapter_names(shapes: Shapes) -> dict[str, str]:
    """A T2I-Adapter's names -> ours; diffusers has its blocks in stages."""
    plain = {name: name.removeprefix("adapter.") for name in shapes}
    depth = numbered(dict.fromkeys(plain.values(), ()), "body.0.resnets.{}.block1.weight")
    if depth == 0:
        return plain
    if "body.0.out_conv.weight" in plain.values():
        return {name: re.sub(r"^(body\.\d+)\.resnets\.", r"\1.body.", ours) for name, ours in plain.items()}
    return {name: _flat(ours, depth) for name, ours in plain.items()}


def _flat(name: str, depth: int) -> str:
    """A name of diffusers' stages, in which `depth` blocks are counted anew for each, as if all were counted on."""
    found = re.match(r"^body\.(\d+)\.(?:resnets\.(\d+)\.)?(.*)$", name)
    return name if found is None else f"body.{depth * int(found[1]) + int(found[2] or 0)}.{found[3]}"


def _other(shapes: Shapes) -> str:
    """What a file is that holds nothing of the kind."""
    expected = (
        "expected tensors such as zero_convs.0.0.weight, controlnet_cond_embedding.conv_in.weight or "
        f"body.0.block1.weight, got {', '.join(sorted(shapes)[:3])}"
    )
    return f"{_kind(shapes) or 'of an unknown kind'}, not a ControlNet; {expected}"


def _kind(shapes: Shapes) -> str | None:
    if network_prefix(shapes):
        return "a checkpoint"
    known = next((kind for mark, kind in OTHERS.items() if mark in shapes), None)
    found = (kind for marks, kind in OTHER_KINDS.items() if any(find(shapes, mark) is not None for mark in marks))
    return known or next(found, None)


def gligen(builder: Builder, keeper: Keeper) -> Gligen:
    """The GLIGEN of a file. Raises: CheckpointError, saying what the file is instead where we can tell."""
    shapes = builder.file.shapes
    if NULL in shapes:
        return Gligen(builder.gligen(), keeper)
    expected = f"expected tensors such as {NULL}, got {', '.join(sorted(shapes)[:3])}"
    raise CheckpointError(f"{builder.file.path.name}: {_kind(shapes) or 'of an unknown kind'}, no GLIGEN; {expected}")
