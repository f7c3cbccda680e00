"""How large values with tensors in them are, how they move between GPU and RAM, how they are written and compared.

The graph engine's cache holds values it cannot look into; these are the functions it is given for that. A *plain*
value is made of lists, tuples, dictionaries, numbers, texts and tensors. Anything else (a model, a picture object) is
counted, but neither moved nor written: what it holds on a device is its own keeper's business. An object that knows how
many bytes it keeps in use says so by an attribute `nbytes`; others are looked into.
"""

import json
import sys
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

DEEPEST = 200  # levels of nesting beyond which a value is not taken apart
MANY = 1000  # members from which a collection is sampled: a tokenizer's 49,408 words took 0.17 s (2026-11)
SAMPLE = 100


class TensorStorage:
    """Measures, moves, writes and compares values that hold tensors."""

    def size(self, value: Any) -> tuple[int, int]:
        """The bytes a value holds on accelerators and in RAM; memory that several tensors share is counted once.

        Objects that are not plain count in RAM wherever they are at the moment: that is where they live.
        """
        gpu = ram = 0
        seen: set[int] = set()
        memory: set[tuple[str, int]] = set()
        stack = [(value, True)]
        while stack:
            each, is_plain = stack.pop()
            if id(each) in seen:
                continue
            seen.add(id(each))
            if isinstance(each, Tensor):
                key, count = _memory(each)
                if key in memory:
                    continue
                memory.add(key)
                if is_plain and _is_on_accelerator(each):
                    gpu += count
                else:
                    ram += count
                continue
            ram += _own_size(each)
            if (estimate := _vocabulary_size(each)) is not None:
                ram += estimate
                continue
            inside = is_plain and type(each) in (list, tuple, dict)
            stack.extend((part, inside) for part in _parts(each))
        return gpu, ram

    def to_ram(self, value: Any) -> tuple[Any, Any]:
        """The value with its tensors in RAM, and the device that each of them came from."""
        home: list[str] = []
        memo: dict[int, Tensor] = {}

        def move(tensor: Tensor) -> Tensor:
            home.append(str(tensor.device))
            if not _is_on_accelerator(tensor):
                return tensor
            return memo.setdefault(id(tensor), tensor.cpu())

        return _rebuild(value, move), home

    def to_home(self, value: Any, home: Any) -> Any:
        """The value with its tensors back on the devices they came from; where there is no room, as it is."""
        devices: Iterator[str] = iter(home or ())
        memo: dict[tuple[int, str], Tensor] = {}

        def move(tensor: Tensor) -> Tensor:
            device = next(devices, str(tensor.device))
            if device == str(tensor.device):
                return tensor
            key = (id(tensor), device)
            if key not in memo:
                memo[key] = tensor.to(device)
            return memo[key]

        try:
            return _rebuild(value, move)
        except (RuntimeError, AssertionError):  # out of memory; a device that is gone, or torch was built without
            return value

    def save(self, value: Any, path: Path) -> bool:
        """Writes a plain value as safetensors; False, with nothing written, for any other.

        Raises: OSError.
        """
        tensors: dict[str, Tensor] = {}
        try:
            shape = json.dumps(_describe(value, tensors, {}))
        except (_NotPlain, RecursionError):
            return False
        try:
            save_file(tensors, path, metadata={"value": shape})
        except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
            if "os error" in str(error).lower() or "i/o" in str(error).lower():
                raise OSError(f"{path}: {error}") from error
            return False  # a kind of tensor the format does not know
        return True

    def load(self, path: Path) -> Any:
        """Reads a value written by `save`, into RAM.

        Raises: OSError, ValueError.
        """
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                shape = json.loads((file.metadata() or {})["value"])
                return _restore(shape, file.get_tensor)
        except (SafetensorError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"{path} is not a value written by this storage: {error}") from error

    def fingerprint(self, value: Any) -> bytes | None:
        """Bytes that are equal for equal tensors or arrays; None for other objects."""
        if isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
            head = f"array {value.dtype} {value.shape}".encode()
            return head + blake2b(numpy.ascontiguousarray(value).tobytes(), digest_size=20).digest()
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.device.type == "meta":
            return None
        head = f"tensor {value.dtype} {tuple(value.shape)} {value.device}".encode()
        plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        data = plain.reshape(-1).view(torch.uint8) if plain.numel() else plain.new_empty(0, dtype=torch.uint8)
        return head + blake2b(data.numpy().tobytes(), digest_size=20).digest()


class _NotPlain(Exception):
    """The value holds something that has no place in a file."""


def _is_on_accelerator(tensor: Tensor) -> bool:
    return tensor.device.type not in ("cpu", "meta")


def _memory(tensor: Tensor) -> tuple[tuple[str, int], int]:
    """What identifies the memory behind a tensor, and its bytes."""
    if tensor.device.type == "meta":
        return ("meta", id(tensor)), 0
    try:
        storage = tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):  # sparse and other layouts
        return ("tensor", id(tensor)), tensor.numel() * tensor.element_size()
    return (str(tensor.device), storage.data_ptr() or -id(tensor)), storage.nbytes()


def _own_size(value: Any) -> int:
    if isinstance(count := getattr(value, "nbytes", None), int):
        return count
    bands = getattr(value, "getbands", None)
    if bands is not None and hasattr(value, "width"):  # a PIL picture
        return int(value.width * value.height * len(bands()))
    try:
        return sys.getsizeof(value)
    except TypeError:  # an object whose __sizeof__ is broken
        return 0


def _vocabulary_size(value: Any) -> int | None:
    """The bytes within a large collection of words and numbers, from a sample; None for what must be looked into."""
    if not isinstance(value, list | tuple | set | frozenset | dict) or len(value) < MANY:
        return None
    sample = [*islice(value, SAMPLE), *(islice(value.values(), SAMPLE) if isinstance(value, dict) else ())]
    words = [part for each in sample for part in (each if isinstance(each, tuple) else (each,))]
    if not all(part is None or isinstance(part, str | bytes | int | float) for part in words):
        return None
    return sum(map(sys.getsizeof, words)) * len(value) // SAMPLE


def _parts(value: Any) -> list[Any]:
    """What lies directly inside a value."""
    if isinstance(value, list | tuple | set | frozenset):
        return [*value]
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, nn.Module):
        return [*value.parameters(), *value.buffers()]
    if isinstance(value, type) or type(value).__module__ == "builtins" or hasattr(value, "nbytes"):
        return []
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if isinstance(name, str)]
    held = [getattr(value, name) for name in names if name != "__dict__" and hasattr(value, name)]
    return [*held, *getattr(value, "__dict__", {}).values()]


def _rebuild(value: Any, change: Callable[[Tensor], Tensor], depth: int = 0) -> Any:
    """The value with its tensors changed, in new containers where one was; the value itself where none was."""
    if isinstance(value, Tensor):
        return change(value)
    kind = type(value)
    if depth > DEEPEST or kind not in (list, tuple, dict):
        return value
    old = [*value.values()] if kind is dict else [*value]
    new = [_rebuild(each, change, depth + 1) for each in old]
    if all(a is b for a, b in zip(old, new, strict=True)):
        return value
    return dict(zip(value, new, strict=True)) if kind is dict else kind(new)


def _describe(value: Any, tensors: dict[str, Tensor], known: dict[int, str]) -> Any:
    """A value as JSON, its tensors put aside by name. Raises: _NotPlain."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is Tensor:
        return {"tensor": _put_aside(value, tensors, known)}
    if kind is list:
        return [_describe(each, tensors, known) for each in value]
    if kind is tuple:
        return {"tuple": [_describe(each, tensors, known) for each in value]}
    if kind is dict:
        pairs = [(_describe(key, tensors, known), _describe(each, tensors, known)) for key, each in value.items()]
        return {"dict": pairs}
    raise _NotPlain(kind.__name__)


def _put_aside(value: Tensor, tensors: dict[str, Tensor], known: dict[int, str]) -> str:
    if value.layout != torch.strided or value.requires_grad or value.device.type == "meta":
        raise _NotPlain(f"{value.layout} tensor")
    name = known.get(id(value))
    if name is None:
        name = known[id(value)] = f"t{len(tensors)}"
        # A copy: the format takes neither views nor tensors that share memory.
        tensors[name] = value.detach().cpu().contiguous().clone()
    return name


def _restore(shape: Any, tensor: Callable[[str], Tensor]) -> Any:
    memo: dict[str, Tensor] = {}

    def build(each: Any) -> Any:
        if isinstance(each, list):
            return [build(part) for part in each]
        if not isinstance(each, dict):
            return each
        (kind, content), *_ = each.items()
        if kind == "tensor":
            if content not in memo:
                memo[content] = tensor(content)
            return memo[content]
        if kind == "tuple":
            return tuple(build(part) for part in content)
        return {build(key): build(part) for key, part in content}

    return build(shape)
