"""From a file to an upscaling network: RRDBNet in each of its layouts, other architectures through spandrel.

Source: node_behaviour.md E.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints.tensors import read_object, unwrapped
from engine.errors import CheckpointError
from engine.models.rrdb import RRDBConfig, RRDBNet
from engine.pictures.upscaling import Upscaler

WRAPPERS = ("params_ema", "params", "params-ema", "state_dict", "model", "net")
"""Entries that training programs put the weights in, the best first."""

_SEVERAL_GPUS = "module."

Weights = Mapping[str, Tensor]


def load(path: Path) -> Any:
    """The upscaler in a file: ours, or spandrel's description of one, which has the same members.

    Raises: CheckpointError, for damaged files and architectures that nobody here knows.
    """
    return read(path.name, plain(read_object(path)))


def read(name: str, weights: Weights) -> Any:
    """As `load`, from weights that somebody has read. `name` is said in errors. Raises: CheckpointError."""
    names = rrdb_names(weights)
    if names is None:
        return _through_spandrel(name, weights)
    ours = {new: weights[old].float() for old, new in names.items()}
    broken = next((old for old, new in names.items() if not ours[new].isfinite().all()), None)
    if broken is not None:
        raise CheckpointError(f"{name}: {broken} holds NaN or infinities; the file is damaged, fetch it again.")
    return Upscaler(_network(name, ours), name)


def plain(content: Any) -> dict[str, Tensor]:
    """The weights of a training program's file, without the wrapping around them or around their names."""
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    weights = unwrapped(content)
    if weights and all(name.startswith(_SEVERAL_GPUS) for name in weights):
        return {name.removeprefix(_SEVERAL_GPUS): weight for name, weight in weights.items()}
    return weights


# ------------------------------------------------------------------------------------------------- RRDBNet's layouts


def rrdb_names(weights: Mapping[str, Any]) -> dict[str, str] | None:
    """The file's names of an RRDBNet's weights and ours for them; None when it is another network."""
    if "model.0.weight" in weights and "model.1.sub.0.RDB1.conv1.0.weight" in weights:
        return _renamed(weights, _old_names(weights))
    if "conv_first.weight" in weights and "RRDB_trunk.0.RDB1.conv1.weight" in weights:
        return _renamed(weights, _trunk_names)
    if "conv_first.weight" in weights and "body.0.rdb1.conv1.weight" in weights:
        return {name: name for name in weights}
    return None


Rename = Callable[[str], str | None]


def _renamed(weights: Mapping[str, Any], rename: Rename) -> dict[str, str]:
    names = {name: rename(name) for name in weights}
    return {name: new or name for name, new in names.items()}


def _trunk_names(name: str) -> str:
    """BSRGAN's and RealSR's names as ours."""
    name = re.sub(r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2.", name)
    name = re.sub(r"^upconv(\d+)\.", r"conv_up\1.", name)
    return name.replace("trunk_conv.", "conv_body.").replace("HRconv.", "conv_hr.")


def _old_names(weights: Mapping[str, Any]) -> Rename:
    """ESRGAN's first names as ours: one long sequence, in which activations and doublings count."""
    numbers = {int(found[1]) for name in weights if (found := re.match(r"^model\.(\d+)\.weight$", name))}
    last = max(numbers)
    ups = (last - 4) // 3
    tops = {0: "conv_first", last - 2: "conv_hr", last: "conv_last"}
    tops |= {3 * n: f"conv_up{n}" for n in range(1, ups + 1)}

    def rename(name: str) -> str | None:
        if found := re.match(r"^model\.1\.sub\.(\d+)\.RDB(\d)\.(conv\d)\.0\.(weight|bias)$", name):
            return f"body.{found[1]}.rdb{found[2]}.{found[3]}.{found[4]}"
        if found := re.match(r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv1x1\.weight$", name):
            return f"body.{found[1]}.rdb{found[2]}.conv1x1.weight"
        if found := re.match(r"^model\.1\.sub\.\d+\.(weight|bias)$", name):
            return f"conv_body.{found[1]}"
        found = re.match(r"^model\.(\d+)\.(weight|bias)$", name)
        return f"{tops[int(found[1])]}.{found[2]}" if found and int(found[1]) in tops else None

    return rename


def config_of(weights: Mapping[str, Tensor]) -> RRDBConfig:
    """What an RRDBNet's weights say about it, under our names. Raises: KeyError naming a weight that is missing."""
    first, last = weights["conv_first.weight"], weights["conv_last.weight"]
    channels, out_channels = first.shape[1], last.shape[0]
    unshuffle = {4 * out_channels: 2, 16 * out_channels: 4}.get(channels, 1)
    blocks = {int(found[1]) for name in weights if (found := re.match(r"^body\.(\d+)\.", name))}
    return RRDBConfig(
        channels=channels // unshuffle**2,
        out_channels=out_channels,
        features=first.shape[0],
        blocks=len(blocks),
        growth=weights["body.0.rdb1.conv1.weight"].shape[0],
        ups=sum(re.fullmatch(r"conv_up\d+\.weight", name) is not None for name in weights),
        unshuffle=unshuffle,
        has_shortcut="body.0.rdb1.conv1x1.weight" in weights,
    )


def _network(name: str, weights: Mapping[str, Tensor]) -> RRDBNet:
    try:
        config = config_of(weights)
    except KeyError as error:
        raise CheckpointError(f"{name}: an ESRGAN upscaler without {error.args[0]}; fetch the file again.") from error
    with torch.device("meta"):
        network = RRDBNet(config)
    expected = network.state_dict()
    for key, tensor in expected.items():
        given = weights.get(key)
        if given is None or given.shape != tensor.shape:
            got = "nothing" if given is None else f"{list(given.shape)}"
            raise CheckpointError(
                f"{name}: an ESRGAN upscaler whose {key} should be {list(tensor.shape)}, got {got}; "
                "the file is damaged, or of a variant nobody here knows."
            )
    unknown = sorted(weights.keys() - expected.keys())
    if unknown:
        raise CheckpointError(
            f"{name}: an ESRGAN upscaler with weights nobody here knows: {', '.join(unknown[:3])}; "
            "look for the same upscaler in the usual form."
        )
    network.load_state_dict(dict(weights), assign=True)
    return network.eval().requires_grad_(False)


# ----------------------------------------------------------------------------------------------------------- spandrel


def _through_spandrel(name: str, weights: Mapping[str, Any]) -> Any:
    found = descriptor(weights, name)
    # spandrel's name for those; its class is not imported, as a plugin may bring a descriptor of its own.
    if type(found).__name__ != "ImageModelDescriptor":
        raise CheckpointError(
            f"{name}: Upscale model must be a single-image model, got {type(found).__name__}; "
            "choose a file of another kind."
        )
    return found.eval()


def descriptor(weights: Mapping[str, Any], name: str = "the upscale model") -> Any:
    """spandrel's description of the network that these weights belong to, whatever it is for.

    Raises: CheckpointError, when spandrel is not installed or does not know it either.
    """
    try:
        spandrel = importlib.import_module("spandrel")
    except ModuleNotFoundError as error:
        raise CheckpointError(
            f"{name}: no upscaler of the ESRGAN family (it has {_some(weights)}); for other architectures the package "
            "spandrel is needed, which is not installed: pip install spandrel"
        ) from error
    try:
        return spandrel.ModelLoader().load_from_state_dict(dict(weights))
    except Exception as error:
        raise CheckpointError(
            f"{name}: spandrel cannot read it ({type(error).__name__}: {error}); it has {_some(weights)}."
        ) from error


def _some(weights: Mapping[str, Any]) -> str:
    return ", ".join(sorted(weights)[:3]) or "no weights at all"
