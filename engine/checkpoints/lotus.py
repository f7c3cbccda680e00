"""The one text that Lotus, which estimates depth and normals, was trained with: none at all.

It is what Stable Diffusion 2's text encoder makes of an empty prompt, of which the start and the end are kept. Both see
only what is before them, so that the length of the padding does not matter.
Source: node_behaviour.md 1.2; He et al. 2024, "Lotus", arXiv 2409.18124.
"""

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import TensorFile, open_tensors
from engine.errors import CheckpointError

_SUFFIXES = (".safetensors", ".sft")  # others would have to be read to know what is in them


def empty_prompt(paths: Iterable[Path], loader: Loader) -> Tensor:
    """The tokens [1, 2, D], with the digits of float16, made by the first of the files that has the encoder.

    Raises: CheckpointError, when none has.
    """
    for path in paths:
        file = _with_encoder(path)
        if file is not None:
            tokens, _ = loader.text_encoder(file).encode("")
            return tokens[:, :2].half().float()
    raise CheckpointError(
        "Lotus was trained with the text encoder of Stable Diffusion 2, of which no file was found. Put a checkpoint "
        "of Stable Diffusion 2 into models/checkpoints, or the text_encoder/model.safetensors of "
        "stabilityai/stable-diffusion-2-1 into models/text_encoders."
    )


def _with_encoder(path: Path) -> TensorFile | None:
    if path.suffix not in _SUFFIXES:
        return None
    try:
        file = open_tensors(path)
    except CheckpointError:
        return None  # whoever loads it is told
    # CLIP-H: 24 layers (23 where the last, which is never used, was left out); CLIP-L has 12, CLIP-G 32.
    texts = [name for name in file.shapes if "text_model" in name or ".transformer.resblocks." in f".{name}"]
    texts = [name for name in texts if "visual" not in name and "vision" not in name and "embedders.1" not in name]
    layers = {int(part) for name in texts for part in name.split(".") if part.isdecimal()}
    return file if max(layers, default=0) in (22, 23) else None
