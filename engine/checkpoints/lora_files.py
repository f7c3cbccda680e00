"""LoRA files and their relatives as they lie on the disk: read once, and refused when they are something else.

What their entries do to a model is decided in engine/adapters. Source of the suffixes: node_behaviour.md B.2, and the
keys of peft, diffusers, kohya's scripts and LyCORIS.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.tensors import TensorFile, open_tensors
from engine.errors import CheckpointError

UP_DOWN = (
    (".lora_up.weight", ".lora_down.weight"),
    ("_lora.up.weight", "_lora.down.weight"),
    (".lora_B.weight", ".lora_A.weight"),
    (".lora.up.weight", ".lora.down.weight"),
    (".lora_B", ".lora_A"),
    (".lora_linear_layer.up.weight", ".lora_linear_layer.down.weight"),
    (".lora_B.default.weight", ".lora_A.default.weight"),
)
"""How trainers call LoRA's two matrices."""

LOHA = (".hada_w1_a", ".hada_w1_b", ".hada_w2_a", ".hada_w2_b")
LOKR = (".lokr_w1", ".lokr_w1_a", ".lokr_w1_b", ".lokr_w2", ".lokr_w2_a", ".lokr_w2_b")
GLORA = (".a1.weight", ".a2.weight", ".b1.weight", ".b2.weight")
FULL = ((".diff", ".weight"), (".w_norm", ".weight"), (".diff_b", ".bias"), (".b_norm", ".bias"))
"""Full differences, and what of a layer they change."""

CHANGES = (
    *(suffix for pair in UP_DOWN for suffix in pair),
    *LOHA,
    *LOKR,
    *GLORA,
    ".oft_blocks",
    *(suffix for suffix, _ in FULL),
    ".set_weight",
)
"""How the names of entries end that change a weight; others only go with them."""

BUNDLED = "bundle_emb."
"""How the learned words begin that come along in some files."""

KEPT = 8
"""Files that stay open. They are mapped, so this costs addresses and not memory."""

_CONTROLNET = "a ControlNet; put it in models/controlnet and load it with ControlNetLoader"
_T2I_ADAPTER = "a T2I-Adapter; put it in models/controlnet and load it with ControlNetLoader"

_OTHERS = (
    ("lora_controlnet", "a control-LoRA; put it in models/controlnet and load it with ControlNetLoader"),
    ("model.diffusion_model.", "a checkpoint; put it in models/checkpoints and load it with CheckpointLoaderSimple"),
    ("control_model.", _CONTROLNET),
    ("input_hint_block.", _CONTROLNET),
    ("zero_convs.", _CONTROLNET),
    ("controlnet_cond_embedding.", _CONTROLNET),
    ("position_net.", "a GLIGEN; put it in models/gligen and load it with GLIGENLoader"),
    ("input_blocks.", "a denoiser alone; put it in models/diffusion_models and load it with UNETLoader"),
    ("body.0.rdb1.", "an upscale model; put it in models/upscale_models and load it with UpscaleModelLoader"),
    ("body.0.block", _T2I_ADAPTER),
    ("adapter.body.", _T2I_ADAPTER),
    ("style_embedding", "a style model; put it in models/style_models and load it with StyleModelLoader"),
    ("image_proj.", "an IP-Adapter; put it in models/ipadapter and load it with IPAdapterModelLoader"),
    ("id_encoder.", "a PhotoMaker; put it in models/photomaker and load it with PhotoMakerLoader"),
    ("vision_model.", "a CLIP vision model; put it in models/clip_vision and load it with CLIPVisionLoader"),
    ("text_model.", "a text encoder; put it in models/text_encoders and load it with CLIPLoader"),
    ("latent_tensor", "a latent; put it in the input folder and load it with LoadLatent"),
    ("string_to_param", "a learned embedding; put it in models/embeddings"),
    ("emb_params", "a learned embedding; put it in models/embeddings"),
    ("clip_l", "a learned embedding; put it in models/embeddings"),
    ("clip_g", "a learned embedding; put it in models/embeddings"),
    ("first_stage_model.", "an autoencoder; put it in models/vae and load it with VAELoader"),
    ("decoder.conv_in.", "an autoencoder; put it in models/vae and load it with VAELoader"),
)
"""What else people put into models/loras, by how one of its names begins."""


@dataclass(frozen=True, eq=False)
class Lora:
    """The entries of a LoRA file, not yet bound to a model."""

    name: str
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)


class LoraFiles:
    """Reads LoRA files. A file that was read lately and has not changed since is not read again."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, int, int], Lora] = OrderedDict()

    def read(self, path: Path) -> Lora:
        """The entries of a file. Raises: CheckpointError, for a file that holds none, or values that are no numbers."""
        identity = _identity(path)
        lora = self._known.get(identity)
        if lora is None:
            file = open_tensors(path)
            _check_kind(file)
            lora = Lora(path.name, file.read(), file.metadata)
            _check_numbers(lora)
            self._known[identity] = lora
        self._known.move_to_end(identity)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return lora


def _identity(path: Path) -> tuple[str, int, int, int]:
    """What tells a file from another, and from itself before it was written again."""
    try:
        found = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read ({error.strerror or error}); check the file") from error
    return str(path.resolve()), found.st_mtime_ns, found.st_size, found.st_ino


def _check_kind(file: TensorFile) -> None:
    has_changes = any(name.endswith(CHANGES) or name.startswith(BUNDLED) for name in file.shapes)
    # Control-LoRAs hold changes as well, but of a network that is not there.
    if has_changes and "lora_controlnet" not in file.shapes:
        return
    kind = next((kind for mark, kind in _OTHERS if any(name.startswith(mark) for name in file.shapes)), None)
    examples = ", ".join(sorted(file.shapes)[:3])
    raise CheckpointError(
        f"{file.path.name}: not a LoRA but {kind or 'of an unknown kind'}; expected names that end like "
        f".lora_up.weight, .lora_A.weight or .hada_w1_a, got {examples}"
    )


def _check_numbers(lora: Lora) -> None:
    for name, tensor in lora.tensors.items():
        if not tensor.is_floating_point():
            continue
        numbers = tensor.float() if tensor.dtype.itemsize < 2 else tensor
        if not bool(torch.isfinite(numbers.sum(dtype=torch.float32))):
            raise CheckpointError(
                f"{lora.name}: {name} holds values that are no numbers (NaN or infinite); its training went wrong or "
                "the file is damaged; fetch it again, or take an earlier epoch"
            )
