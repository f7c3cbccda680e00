"""CLIP's eyes as plugins hold them, over engine.models.vision."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import comfy.model_management
import comfy.model_patcher
from compat import files
from compat.host import host
from compat.missing import missing
from compat.residence import Residence
from engine.checkpoints.tensors import in_memory
from engine.models import vision
from engine.values import ClipVision

MEAN = [*vision.MEAN]
DEVIATION = [*vision.DEVIATION]


class Output:
    """What a picture is to CLIP: last_hidden_state, image_embeds … as attributes or as items."""

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __setitem__(self, key: str, item: Any) -> None:
        setattr(self, key, item)

    def __contains__(self, key: str) -> bool:
        return hasattr(self, key)


def clip_preprocess(
    image: Tensor,
    size: int = 224,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = DEVIATION,
    crop: bool = True,
) -> Tensor:
    """Pictures [B, H, W, C] of 0 … 1 as the network wants them, [B, 3, size, size]: the middle square, or stretched."""
    return vision.preprocessed(image, size, tuple(mean), tuple(std), crop)


class CLIPVisionModelProjection(nn.Module):
    """The tower as the member `vision_model`."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.vision_model = tower

    def forward(self, pixels: Tensor) -> Any:
        """What it sees."""
        return self.vision_model(pixels)


class ClipVisionModel:
    """A vision tower. Made of a configuration it waits for its weights (`load_sd`)."""

    def __init__(self, json_config: Mapping[str, Any] | None = None) -> None:
        given = json_config or {}
        place = host().loader.devices.place("text")
        self.image_size: int = given.get("image_size", 224)
        self.image_mean: Sequence[float] = given.get("image_mean", MEAN)
        self.image_std: Sequence[float] = given.get("image_std", DEVIATION)
        self.return_all_hidden_states = bool(given.get("return_all_hidden_states", False))
        self.load_device, self.dtype = place.device, place.dtype
        self.ours: ClipVision | None = None
        self.model: Any = None
        self.patcher: Any = None

    @classmethod
    def around(cls, ours: ClipVision) -> "ClipVisionModel":
        """One over a tower of the engine's."""
        mean, deviation = ours.part.module.vision_config.colours
        made = cls({"image_size": ours.size, "image_mean": [*mean], "image_std": [*deviation]})
        made._hold(ours)
        return made

    def _hold(self, ours: ClipVision) -> None:
        network: Any = CLIPVisionModelProjection(ours.part.module)
        network.residence = Residence(ours.part, ours.keeper, "vision_model.")
        self.ours, self.model = ours, network
        self.load_device, self.dtype = ours.part.place.device, ours.part.place.dtype
        self.patcher = comfy.model_patcher.ModelPatcher(
            network,
            load_device=self.load_device,
            offload_device=comfy.model_management.text_encoder_offload_device(),
        )

    def is_untouched(self) -> bool:
        """Whether it sees as the engine's tower does: nobody put other numbers, weights or functions on it."""
        if self.ours is None or type(self) is not ClipVisionModel or {"encode_image", "get_sd"} & vars(self).keys():
            return False
        colours = self.ours.part.module.vision_config.colours
        known = (self.ours.size, *(tuple(each) for each in colours))
        mine = (self.image_size, tuple(self.image_mean), tuple(self.image_std))
        return mine == known and not self.patcher.patches and not self.patcher.object_patches

    def load_sd(self, sd: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
        """Takes weights over. Returns: names missing, and names not known. Raises: CheckpointError."""
        self._hold(host().loader.clip_vision(in_memory("a state dict", sd)))
        assert self.ours is not None
        known = self.ours.part.weights
        return [], [name for name in sd if name.removeprefix("vision_model.") not in known]

    def get_sd(self) -> dict[str, Tensor]:
        """Its weights as they are stored."""
        weights = {} if self.ours is None else self.ours.part.weights
        inside = {name: name if name.startswith("visual_projection.") else f"vision_model.{name}" for name in weights}
        return {inside[name]: tensor for name, tensor in weights.items()}

    def encode_image(self, image: Tensor, crop: bool = True) -> Output:
        """What pictures [B, H, W, C] of 0 … 1 show."""
        if self.ours is None:
            raise RuntimeError("this CLIP vision model has no weights yet; call load_sd first")
        pixels = clip_preprocess(image, self.image_size, self.image_mean, self.image_std, crop)
        comfy.model_management.load_model_gpu(self.patcher)
        with self.model.residence.using() as tower, torch.no_grad():
            seen = tower(pixels.to(self.load_device, self.dtype), self.return_all_hidden_states)
        found = Output()
        for name, value in vars(seen).items():
            found[name] = value.float().cpu() if isinstance(value, Tensor) else value
        found["image_sizes"] = [tuple(pixels.shape[1:])] * pixels.shape[0]
        return found


def load(ckpt_path: str) -> ClipVisionModel:
    """The vision tower of a file. Raises: CheckpointError."""
    return ClipVisionModel.around(host().loader.clip_vision(files.read(ckpt_path)))


def load_clipvision_from_sd(
    sd: Mapping[str, Tensor], prefix: str = "", convert_keys: bool = False
) -> ClipVisionModel | None:
    """The vision tower among tensors whose names begin like this; None when there is none.

    OpenCLIP's names are understood whether or not `convert_keys` says to expect them.
    """
    below = {name[len(prefix) :]: tensor for name, tensor in sd.items() if name.startswith(prefix)}
    if not any("layers.0.mlp.fc1.weight" in name or "resblocks.0.ln_1.weight" in name for name in below):
        return None
    return ClipVisionModel.around(host().loader.clip_vision(in_memory("a state dict", below)))


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
