"""Files of what lets pictures speak: IP-Adapters, style adapters and PhotoMaker, read and judged.

What a file is instead, where it can be told, is said in words: these files lie beside each other in people's folders.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from engine.checkpoints.tensors import Shapes, TensorFile, in_memory, open_tensors, read_object, unwrapped
from engine.devices.device import Place
from engine.devices.residency import Part
from engine.errors import CheckpointError
from engine.models.ip_adapter import IpAdapter, IpAdapterConfig
from engine.models.style_model import StyleModel, StyleModelConfig

if TYPE_CHECKING:
    from engine.models.photomaker import PhotoMaker

Network = TypeVar("Network", bound=nn.Module)
Config = TypeVar("Config")

FACE_WIDTH = 512  # Numbers in an embedding of InsightFace. Source: FaceID's and InstantID's code.

_OTHERS = (
    ("lora_unet_", "a LoRA; put it in models/loras and load it with LoraLoader"),
    ("lora_te", "a LoRA; put it in models/loras and load it with LoraLoader"),
    ("image_proj.", "an IP-Adapter; put it in models/ipadapter and load it with IPAdapterModelLoader"),
    ("ip_adapter.", "an IP-Adapter; put it in models/ipadapter and load it with IPAdapterModelLoader"),
    ("style_embedding", "a style adapter; put it in models/style_models and load it with StyleModelLoader"),
    ("redux_", "Flux Redux; put it in models/style_models"),
    ("id_encoder.", "PhotoMaker; put it in models/photomaker and load it with PhotoMakerLoader"),
    ("fuse_module.", "PhotoMaker; put it in models/photomaker and load it with PhotoMakerLoader"),
    ("model.diffusion_model.", "a checkpoint; put it in models/checkpoints and load it with CheckpointLoaderSimple"),
    ("control_model.", "a ControlNet; put it in models/controlnet and load it with ControlNetLoader"),
    ("controlnet_cond_embedding.", "a ControlNet; put it in models/controlnet and load it with ControlNetLoader"),
    ("embeddings.cls_token", "a DINOv2 vision model, which nothing here can use yet"),
    ("vision_model.", "a CLIP vision model; put it in models/clip_vision and load it with CLIPVisionLoader"),
    ("text_model.", "a text encoder; put it in models/text_encoders and load it with CLIPLoader"),
)
"""What else such a file may be, by how one of its names begins."""


def ip_adapter(path: Path, place: Place) -> Part[IpAdapter]:
    """An IP-Adapter: standard, plus or full. Raises: CheckpointError, naming what the file is instead."""
    file = _flat(path)
    name = path.name
    keys = [each for each in file.shapes if each.startswith("ip_adapter.") and each.endswith(".to_k_ip.weight")]
    if not keys or not any(each.startswith("image_proj.") for each in file.shapes):
        raise CheckpointError(_instead(file, "an IP-Adapter", "image_proj.… and ip_adapter.1.to_k_ip.weight"))
    _refuse_faces(name, file.shapes)
    config = read_config(file, IpAdapterConfig.from_shapes)
    return part(f"the IP-Adapter {name}", file, lambda: IpAdapter(config), place)


def style_model(path: Path, place: Place) -> Part[StyleModel]:
    """A style adapter of T2I-Adapter. Raises: CheckpointError, naming what the file is instead."""
    file = open_tensors(path)
    if "redux_down.weight" in file.shapes:
        raise CheckpointError(
            f"{path.name}: Flux Redux, which guides Flux only; Flux is not supported yet. Use a style adapter for "
            "Stable Diffusion 1 (t2iadapter_style_sd14v1.pth) or an IP-Adapter"
        )
    if "style_embedding" not in file.shapes:
        raise CheckpointError(_instead(file, "a style model", "style_embedding and transformer_layes.0.ln_1.weight"))
    config = read_config(file, StyleModelConfig.from_shapes)
    return part(f"the style model {path.name}", file, lambda: StyleModel(config), place)


def photomaker(path: Path, place: Place) -> "Part[PhotoMaker]":
    """PhotoMaker's tower and what fuses it into a text. Raises: CheckpointError, naming what the file is instead."""
    from engine.models.photomaker import PhotoMaker, PhotoMakerConfig  # slow: it imports transformers

    content = read_object(path)
    inside = content.get("id_encoder") if isinstance(content, Mapping) else None
    tensors = inside if isinstance(inside, Mapping) else open_tensors(path).read()
    tensors = {str(name).removeprefix("id_encoder."): each for name, each in tensors.items() if _is_tensor(each)}
    tensors = {name.removeprefix("vision_model."): each.detach() for name, each in tensors.items()}
    file = in_memory(path.name, tensors)
    if "qformer_perceiver.token_proj.0.weight" in file.shapes:
        raise CheckpointError(f"{path.name}: PhotoMaker 2, which also needs InsightFace; use photomaker-v1.bin")
    if "fuse_module.mlp1.fc1.weight" not in file.shapes or "visual_projection_2.weight" not in file.shapes:
        raise CheckpointError(
            _instead(file, "PhotoMaker", "visual_projection_2.weight and fuse_module.mlp1.fc1.weight")
        )
    config = read_config(file, PhotoMakerConfig.from_shapes)
    return part(f"PhotoMaker {path.name}", file, lambda: PhotoMaker(config), place)


def no_vision(file: TensorFile) -> CheckpointError:
    """That a file holds no CLIP vision tower, and what it is instead."""
    wanted = "vision_model.encoder.layers.0.mlp.fc1.weight and visual_projection.weight"
    if any(name.startswith("vision_model.") for name in file.shapes):
        return CheckpointError(
            f"{file.path.name}: no CLIP vision tower inside; a part is missing, expected {wanted}; get the file with "
            "the projection (CLIPVisionModelWithProjection)"
        )
    return CheckpointError(_instead(file, "a CLIP vision tower", wanted, "no CLIP vision tower inside"))


def _flat(path: Path) -> TensorFile:
    """The tensors of an IP-Adapter's file; those of torch.save have two dicts, whose names come in front."""
    content = read_object(path)
    if not isinstance(content, Mapping) or not any(isinstance(each, Mapping) for each in content.values()):
        return in_memory(path.name, unwrapped(content))
    tensors = {
        f"{group}.{name}": tensor.detach()
        for group, inside in content.items()
        if isinstance(inside, Mapping)
        for name, tensor in inside.items()
        if _is_tensor(tensor)
    }
    return in_memory(path.name, tensors)


def _refuse_faces(name: str, shapes: Shapes) -> None:
    """Refuses what needs a face recogniser, or is of another architecture. Raises: CheckpointError."""
    has_lora = any("_lora." in each for each in shapes)
    marks = "image_proj.perceiver_resampler.proj_in.weight", "image_proj.norm.weight"
    is_standard = "image_proj.proj.weight" in shapes
    kind = None
    if has_lora or (not is_standard and any(each in shapes for each in marks)):
        kind = "an IP-Adapter FaceID"
    elif shapes.get("image_proj.proj_in.weight", ())[1:] == (FACE_WIDTH,):
        kind = "InstantID"
    if kind is not None:
        raise CheckpointError(
            f"{name}: {kind}, which reads faces as embeddings of InsightFace, which is not built in; use "
            "ip-adapter-plus-face (or ip-adapter-full-face_sd15), which read the picture alone, or a plugin that "
            "brings InsightFace with nodes of its own"
        )
    known = ("image_proj.proj.weight", "image_proj.proj.3.weight", "image_proj.latents")
    if not any(each in shapes for each in known):
        examples = ", ".join(sorted(each for each in shapes if each.startswith("image_proj."))[:3])
        raise CheckpointError(f"{name}: an IP-Adapter of a kind that is not known; expected {known[0]}, got {examples}")


def read_config(file: TensorFile, read: Callable[[Shapes], Config]) -> Config:
    """What the shapes of a file say about its network. Raises: CheckpointError, also for shapes that say nothing."""
    try:
        return read(file.shapes)
    except CheckpointError as error:
        raise CheckpointError(f"{file.path.name}: {error}") from error
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"{file.path.name}: a part is incomplete or in another layout; missing: {error}"
        ) from error


def part(what: str, file: TensorFile, make: Callable[[], Network], place: Place) -> Part[Network]:
    """A network with its weights. Raises: CheckpointError for weights that are missing, misshapen or no numbers."""
    name = file.path.name
    try:
        with torch.device("meta"):
            network = make()
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise CheckpointError(f"{name}: a shape that no network of ours can take: {error}") from error
    wanted = {key: tuple(parameter.shape) for key, parameter in network.named_parameters()}
    problems = [f"{key} is missing" for key in wanted if key not in file.shapes]
    problems += [
        f"{key} is {list(file.shapes[key])}, not {list(shape)}"
        for key, shape in wanted.items()
        if key in file.shapes and file.shapes[key] != shape
    ]
    if problems:
        raise CheckpointError(
            f"{name}: incomplete, {len(problems)} of {len(wanted)} tensors: {'; '.join(problems[:3])}"
            f"{' …' if len(problems) > 3 else ''}"
        )
    weights = file.load(wanted)
    for key, weight in weights.items():
        _check_numbers(name, key, weight)
    return Part(what, network, weights, place)


def _check_numbers(name: str, key: str, weight: Tensor) -> None:
    if not weight.is_floating_point():
        raise CheckpointError(f"{name}: {key} is in {str(weight.dtype)[6:]}, expected floating point numbers")
    numbers = weight.float() if weight.dtype.itemsize < 2 else weight
    if not bool(torch.isfinite(numbers.sum(dtype=torch.float32))):
        raise CheckpointError(
            f"{name}: {key} holds values that are no numbers (NaN or infinite); the file is damaged, fetch it again"
        )


def _instead(file: TensorFile, what: str, expected: str, first: str = "") -> str:
    names = sorted(file.shapes)
    kind = next((kind for mark, kind in _OTHERS if any(name.startswith(mark) for name in names)), None)
    if kind is None and any(".lora_" in name for name in names):
        kind = _OTHERS[0][1]
    return (
        f"{file.path.name}: {first or f'not {what}'}; {f'it is {kind}; ' if kind else ''}expected tensors such as "
        f"{expected}, got {', '.join(names[:3])}"
    )


def _is_tensor(each: Any) -> bool:
    return isinstance(each, Tensor)
