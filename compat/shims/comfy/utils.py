"""ComfyUI's `comfy.utils`: weights files, state dicts, resizing, tiles and progress, over the engine's own."""

import io
import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from operator import add
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from compat.core_nodes import unet_names
from compat.core_nodes.unet_names import (
    TRANSFORMER_BLOCKS,  # noqa: F401 -- plugins look for it here
    UNET_MAP_ATTENTIONS,  # noqa: F401
    UNET_MAP_BASIC,
    UNET_MAP_RESNET,  # noqa: F401
)
from compat.host import host, is_installed
from engine import images, shapes
from engine.checkpoints.save import save_tensors
from engine.checkpoints.tensors import open_tensors, read_object
from engine.devices.tiles import faded

MMAP_TORCH_FILES = True
DISABLE_MMAP = False
ALWAYS_SAFE_LOAD = True

StateDict = dict[str, Any]

# ------------------------------------------------------------------------------------------------------ weights files


def load_torch_file(
    ckpt: str | Path, safe_load: bool = False, device: torch.device | None = None, return_metadata: bool = False
) -> Any:
    """The tensors of a weights file by name; with return_metadata also what its header says (None without one).

    Nothing in a file is ever run, whatever safe_load says. The wrapping of training frameworks is taken off.
    Raises: CheckpointError.
    """
    path = Path(ckpt)
    metadata = None
    if path.suffix.lower() in (".safetensors", ".sft"):
        file = open_tensors(path)
        tensors: Any = file.read()
        metadata = dict(file.metadata) or None
    else:
        tensors = _unwrapped(read_object(path))
    if device is not None and torch.device(device).type != "cpu":
        tensors = {name: each.to(device) if isinstance(each, Tensor) else each for name, each in tensors.items()}
    return (tensors, metadata) if return_metadata else tensors


def _unwrapped(content: Any) -> Any:
    """What is inside `state_dict`, or inside the only entry. Source: node_behaviour.md 0.7."""
    if not isinstance(content, dict):
        return content
    if isinstance(content.get("state_dict"), dict):
        return content["state_dict"]
    (only, *others) = [*content.values(), None]
    return only if len(others) == 1 and isinstance(only, dict) else content


def save_torch_file(sd: Mapping[str, Tensor], ckpt: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors as safetensors, whole or not at all. Raises: PathError."""
    save_tensors(Path(ckpt), sd, metadata)


def safetensors_header(safetensors_path: str | Path, max_size: int = 100 * 1024 * 1024) -> bytes | None:
    """The JSON at the start of a safetensors file, as it stands there; None when it is larger than max_size."""
    with open(safetensors_path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return file.read(length) if length <= max_size else None


# -------------------------------------------------------------------------------------------------------- state dicts


def calculate_parameters(sd: Mapping[str, Any], prefix: str = "") -> int:
    """How many numbers the tensors with this prefix hold."""
    return sum(each.nelement() for name, each in sd.items() if name.startswith(prefix))


def weight_dtype(sd: Mapping[str, Any], prefix: str = "") -> torch.dtype | None:
    """The format that most numbers with this prefix are stored in; None where there are none."""
    counts: dict[torch.dtype, int] = {}
    for name, each in sd.items():
        if name.startswith(prefix):
            counts[each.dtype] = counts.get(each.dtype, 0) + each.numel()
    return max(counts, key=lambda dtype: counts[dtype]) if counts else None


def state_dict_key_replace(state_dict: StateDict, keys_to_replace: Mapping[str, str]) -> StateDict:
    """Renames entries in place; names that are not there are passed over."""
    for old, new in keys_to_replace.items():
        if old in state_dict:
            state_dict[new] = state_dict.pop(old)
    return state_dict


def state_dict_prefix_replace(
    state_dict: StateDict, replace_prefix: Mapping[str, str], filter_keys: bool = False
) -> StateDict:
    """Renames the entries that begin with a prefix, in place.

    filter_keys: takes them out of state_dict into a new dict, and leaves the others where they are.
    """
    target = {} if filter_keys else state_dict
    for old, new in replace_prefix.items():
        for name in [each for each in state_dict if each.startswith(old)]:
            target[new + name[len(old) :]] = state_dict.pop(name)
    return target


def unet_to_diffusers(unet_config: Mapping[str, Any]) -> dict[str, str]:
    """Diffusers' name -> original name for every tensor of a UNet; empty for other networks.

    unet_config: num_res_blocks, channel_mult, transformer_depth, transformer_depth_middle, transformer_depth_output.
    """
    return unet_names.unet_to_diffusers(unet_config, UNET_MAP_BASIC)


_OPEN_CLIP_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
_OPEN_CLIP_WHOLE = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}


def clip_text_transformers_convert(sd: StateDict, prefix_from: str, prefix_to: str) -> StateDict:
    """Renames an open_clip text encoder to transformers' names, in place. Source: node_behaviour.md A.8."""
    blocks = sum(f"{prefix_from}transformer.resblocks.{i}.ln_1.weight" in sd for i in range(_MOST_BLOCKS))
    transformers_convert(sd, prefix_from, f"{prefix_to}text_model.", blocks)
    projection = f"{prefix_to}text_projection.weight"
    if f"{prefix_from}text_projection.weight" in sd:
        sd[projection] = sd.pop(f"{prefix_from}text_projection.weight")
    if f"{prefix_from}text_projection" in sd:
        sd[projection] = sd.pop(f"{prefix_from}text_projection").transpose(0, 1).contiguous()
    return sd


_MOST_BLOCKS = 200


def transformers_convert(sd: StateDict, prefix_from: str, prefix_to: str, number: int) -> StateDict:
    """Renames this many open_clip transformer blocks and what is around them, in place."""
    state_dict_key_replace(sd, {prefix_from + old: prefix_to + new for old, new in _OPEN_CLIP_WHOLE.items()})
    for block in range(number):
        old_block, new_block = f"{prefix_from}transformer.resblocks.{block}.", f"{prefix_to}encoder.layers.{block}."
        for (old, new), kind in product(_OPEN_CLIP_BLOCK.items(), ("weight", "bias")):
            state_dict_key_replace(sd, {f"{old_block}{old}.{kind}": f"{new_block}{new}.{kind}"})
        for kind in ("weight", "bias"):
            joined = sd.pop(f"{old_block}attn.in_proj_{kind}", None)
            if joined is not None:
                for name, third in zip("qkv", joined.chunk(3), strict=True):
                    sd[f"{new_block}self_attn.{name}_proj.{kind}"] = third
    return sd


# --------------------------------------------------------------------------------------------------------- attributes


def get_attr(obj: Any, attr: str) -> Any:
    """obj.a.b.c for "a.b.c"."""
    for name in attr.split("."):
        obj = getattr(obj, name)
    return obj


def set_attr(obj: Any, attr: str, value: Any) -> Any:
    """obj.a.b.c = value for "a.b.c". Returns: what was there before."""
    *path, last = attr.split(".")
    owner = get_attr(obj, ".".join(path)) if path else obj
    before = getattr(owner, last)
    setattr(owner, last, value)
    return before


def set_attr_param(obj: Any, attr: str, value: Tensor) -> Any:
    """The same with the tensor as a parameter that is not trained."""
    return set_attr(obj, attr, nn.Parameter(value, requires_grad=False))


def copy_to_param(obj: Any, attr: str, value: Tensor) -> None:
    """Overwrites the numbers of a parameter, which stays the same object."""
    get_attr(obj, attr).data.copy_(value)


# ----------------------------------------------------------------------------------------------------------- resizing


def common_upscale(samples: Tensor, width: int, height: int, upscale_method: str, crop: str) -> Tensor:
    """Pictures or latents at another size; "center" cuts to the new proportions first.

    Shapes: samples [B, C, H, W], or [B, C, F, H, W] frame by frame.
    """
    return images.resize(samples, width, height, upscale_method, crop)


def lanczos(samples: Tensor, width: int, height: int) -> Tensor:
    """Pillow's Lanczos through 8 bits. Shapes: samples [B, C, H, W]."""
    return images.resize(samples, width, height, "lanczos")


def bislerp(samples: Tensor, width: int, height: int) -> Tensor:
    """Spherical interpolation of the channel vectors. Shapes: samples [B, C, h, w]."""
    return images.resize(samples, width, height, "bislerp")


def repeat_to_batch_size(tensor: Tensor, batch_size: int, dim: int = 0) -> Tensor:
    """A batch of this size: cut, or repeated from its start."""
    return shapes.repeated_to_batch(tensor.movedim(dim, 0), batch_size).movedim(0, dim)


def resize_to_batch_size(tensor: Tensor, batch_size: int) -> Tensor:
    """A batch of this size, picked evenly along it."""
    return shapes.spread_over_batch(tensor, batch_size)


def reshape_mask(input_mask: Tensor, output_shape: Sequence[int]) -> Tensor:
    """A mask stretched to a latent's shape [B, C, …], repeated over its channels and batch."""
    dims = len(output_shape) - 2
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[dims]
    if dims == 2:
        input_mask = input_mask.reshape(-1, 1, *input_mask.shape[-2:])
    elif dims == 3 and input_mask.ndim < 5:
        input_mask = input_mask.reshape(1, 1, -1, *input_mask.shape[-2:])
    mask = interpolate(input_mask, size=tuple(output_shape[2:]), mode=mode)
    if mask.shape[1] < output_shape[1]:
        mask = repeat_to_batch_size(mask, output_shape[1], dim=1)
    return repeat_to_batch_size(mask, output_shape[0])


# -------------------------------------------------------------------------------------------------------------- tiles

Formula = float | Callable[[float], float]


def get_tiled_scale_steps(width: int, height: int, tile_x: int, tile_y: int, overlap: int) -> int:
    """How many tiles a picture is cut into."""
    return _tiles(width, tile_x, overlap) * _tiles(height, tile_y, overlap)


def _tiles(size: int, tile: int, overlap: int) -> int:
    return 1 if size <= tile else math.ceil((size - overlap) / (tile - overlap))


@torch.inference_mode()
def tiled_scale(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile_x: int = 64,
    tile_y: int = 64,
    overlap: int = 8,
    upscale_amount: float = 4,
    out_channels: int = 3,
    output_device: torch.device | str = "cpu",
    pbar: Any = None,
) -> Tensor:
    """What function would make of the whole, from overlapping tiles that fade into each other.

    Shapes: samples [B, C, H, W]; function turns [1, C, h, w] into [1, out_channels, h·k, w·k].
    """
    tile = (tile_y, tile_x)
    return tiled_scale_multidim(
        samples, function, tile, overlap, upscale_amount, out_channels, output_device=output_device, pbar=pbar
    )


@torch.inference_mode()
def tiled_scale_multidim(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile: Sequence[int] = (64, 64),
    overlap: Any = 8,
    upscale_amount: Any = 4,
    out_channels: int = 3,
    output_device: torch.device | str = "cpu",
    downscale: bool = False,
    index_formulas: Any = None,
    pbar: Any = None,
) -> Tensor:
    """The same in any number of dimensions, each with its own tile, overlap and factor (a number or a function).

    downscale: the answer is smaller by that factor. index_formulas: where in the answer a tile begins, when that is
    not its start times the factor.
    """
    dims = len(tile)
    overlaps, scales = _each(overlap, dims), [_Scale(each, downscale) for each in _each(upscale_amount, dims)]
    places = scales if index_formulas is None else [_Scale(each, downscale) for each in _each(index_formulas, dims)]
    sizes = samples.shape[2:]
    shape = [round(scale.of(size)) for scale, size in zip(scales, sizes, strict=True)]
    output = torch.empty((len(samples), out_channels, *shape), device=output_device)
    starts = [_starts(size, length, each) for size, length, each in zip(sizes, tile, overlaps, strict=True)]
    for index in range(len(samples)):
        if all(len(each) == 1 for each in starts):
            output[index : index + 1] = function(samples[index : index + 1]).to(output_device)
            _tell(pbar)
            continue
        total = torch.zeros((1, out_channels, *shape), device=output_device)
        weights = torch.zeros_like(total)
        for start in product(*starts):
            piece = samples[index : index + 1]
            for axis, (first, length) in enumerate(zip(start, tile, strict=True)):
                piece = piece.narrow(axis + 2, first, min(length, sizes[axis] - first))
            answer = function(piece).to(output_device)
            weight = _feathered(answer, [round(scale.of(each)) for scale, each in zip(scales, overlaps, strict=True)])
            where = [round(place.of(first)) for place, first in zip(places, start, strict=True)]
            inside = (slice(None), slice(None), *map(slice, where, map(add, where, answer.shape[2:])))
            total[inside] += answer * weight
            weights[inside] += weight
            _tell(pbar)
        output[index : index + 1] = total / weights
    return output


def _tell(pbar: Any) -> None:
    if pbar is not None:
        pbar.update(1)


class _Scale:
    """A factor, or a function in its place, turned around where things become smaller."""

    def __init__(self, formula: Formula, downscale: bool) -> None:
        self._formula, self._downscale = formula, downscale

    def of(self, value: float) -> float:
        """Where this value lies in the answer."""
        if callable(self._formula):
            return self._formula(value)
        return value / self._formula if self._downscale else value * self._formula


def _each(value: Any, count: int) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [value] * count


def _starts(size: int, tile: int, overlap: int) -> list[int]:
    if size <= tile:
        return [0]
    return [max(0, min(start, size - overlap)) for start in range(0, size - overlap, tile - overlap)]


def _feathered(answer: Tensor, feathers: Sequence[int]) -> Tensor:
    """1 in the middle of a piece, falling towards every side."""
    weight = torch.ones((1, 1, *answer.shape[2:]), device=answer.device)
    for axis, feather in enumerate(feathers):
        ramp = faded(answer.shape[axis + 2], feather).to(answer.device)
        weight *= ramp.reshape([-1 if each == axis + 2 else 1 for each in range(answer.ndim)])
    return weight


# ----------------------------------------------------------------------------------------------------------- progress

PREVIEW_QUALITY = 95


def report_progress(value: float, total: float, preview: Any, node_id: str | None = None) -> None:
    """Tells clients how far the running node is. preview: (format, PIL picture, longest side) or None.

    Raises: Cancelled, when the prompt was stopped; outside of a prompt nothing happens.
    """
    from comfy import model_management  # it stands on this module
    from compat.machine.previews import Unasked  # so does this

    model_management.throw_exception_if_processing_interrupted()
    run = host().run if is_installed() else None
    if run is None:
        return
    run = run if node_id is None else replace(run, node_id=str(node_id))
    if preview is not None:
        run.preview(*_encoded(*preview), is_asked=not isinstance(preview, Unasked))
    run.progress(value, total)


def _encoded(kind: str, picture: Any, max_size: int | None = None) -> tuple[bytes, str]:
    """A preview as bytes and what they are."""
    shown = picture
    if max_size is not None and max(picture.size) > max_size:
        shown = picture.copy()
        shown.thumbnail((max_size, max_size))
    kind = "PNG" if str(kind).upper() == "PNG" else "JPEG"
    buffer = io.BytesIO()
    (shown if kind == "PNG" else shown.convert("RGB")).save(buffer, kind, quality=PREVIEW_QUALITY)
    return buffer.getvalue(), f"image/{kind.lower()}"


PROGRESS_BAR_ENABLED = True
PROGRESS_BAR_HOOK: Callable[..., Any] | None = report_progress


def set_progress_bar_enabled(enabled: bool) -> None:
    """Whether samplers write their own bar to the terminal."""
    globals()["PROGRESS_BAR_ENABLED"] = enabled


def set_progress_bar_global_hook(function: Callable[..., Any] | None) -> None:
    """What bars made from now on report to: function(value, total, preview, node_id=…)."""
    globals()["PROGRESS_BAR_HOOK"] = function


class ProgressBar:
    """How far a node is. Telling it is also the moment at which a stopped prompt ends."""

    def __init__(self, total: float, node_id: str | None = None) -> None:
        self.total = total
        self.current: float = 0
        self.hook = PROGRESS_BAR_HOOK
        self.node_id = node_id

    def update_absolute(self, value: float, total: float | None = None, preview: Any = None) -> None:
        """So much is done; perhaps of another total than thought. preview: (format, PIL picture, longest side)."""
        self.total = self.total if total is None else total
        self.current = min(value, self.total)
        if self.hook is not None:
            self.hook(self.current, self.total, preview, node_id=self.node_id)

    def update(self, value: float) -> None:
        """So much more is done."""
        self.update_absolute(self.current + value)


# ------------------------------------------------------------------------------------------- names of later versions


def pack_latents(latents: Iterable[Tensor]) -> tuple[Tensor, list[torch.Size]]:
    """Latents of several kinds in one tensor [B, 1, N], and the shapes to take them apart by."""
    shapes, flat = [], []
    for each in latents:
        shapes.append(each.shape)
        flat.append(each.reshape(each.shape[0], 1, -1))
    return torch.cat(flat, dim=-1), shapes


def unpack_latents(combined_latent: Tensor, latent_shapes: Sequence[Sequence[int]]) -> list[Tensor]:
    """The latents that `pack_latents` put together; one alone is given back as it is."""
    if len(latent_shapes) <= 1:
        return [combined_latent]
    sizes = [math.prod(shape[1:]) for shape in latent_shapes]
    parts = torch.split(combined_latent, sizes, dim=-1)
    return [part.reshape(len(combined_latent), *shape[1:]) for part, shape in zip(parts, latent_shapes, strict=True)]
