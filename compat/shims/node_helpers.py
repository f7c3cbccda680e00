"""ComfyUI's `node_helpers`: small functions that core nodes and plugins share."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from comfy.cli_args import args
from PIL import ImageFile, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import pad

Given = TypeVar("Given")
Made = TypeVar("Made")

_HASHES: Mapping[str, Callable[..., Any]] = {
    "md5": hashlib.md5,
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def conditioning_set_values(
    conditioning: Sequence[Sequence[Any]], values: Mapping[str, Any] = {}, append: bool = False
) -> list[list[Any]]:
    """A copy of a conditioning with options set in every entry.

    append: a value is added after the one that is there (list or tensor `+`) instead of taking its place.
    """
    changed = []
    for tokens, *options in conditioning:
        entry = dict(options[0]) if options else {}
        for name, value in values.items():
            before = entry.get(name) if append else None
            entry[name] = value if before is None else before + value
        changed.append([tokens, entry])
    return changed


def pillow(fn: Callable[[Given], Made], arg: Given) -> Made:
    """fn(arg); where Pillow stumbles over a damaged file, once more with its missing part left blank."""
    try:
        return fn(arg)
    except (OSError, UnidentifiedImageError, ValueError):
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return fn(arg)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def image_alpha_fix(destination: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """A source with more channels is cut; a destination with more gets yet another one, of ones.

    Shapes: [B, H, W, C].
    """
    if destination.shape[-1] > source.shape[-1]:
        return pad(destination, (0, 1), value=1.0), source
    return destination, source[..., : destination.shape[-1]]


def hasher() -> Callable[..., Any]:
    """The hash function that files are compared by."""
    name = args.default_hashing_function
    if name not in _HASHES:
        raise ValueError(f"default_hashing_function is {name!r}; expected one of {', '.join(_HASHES)}")
    return _HASHES[name]


def string_to_torch_dtype(string: str) -> torch.dtype | None:
    """The number format that goes by "fp32", "fp16" or "bf16"; None for another name."""
    return _DTYPES.get(string)
