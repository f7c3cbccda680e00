"""GLIGEN under ComfyUI's names: the engine's network, and the patches that plugins make of it for boxes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

import comfy
from compat.host import host
from compat.missing import missing
from compat.residence import Residence
from engine import values
from engine.checkpoints.tensors import in_memory
from engine.models.gligen import MOST, GatedSelfAttentionDense, PositionNet

Placed = Callable[[Tensor, Mapping[str, Any]], Tensor]

__all__ = ["GatedSelfAttentionDense", "Gligen", "Placed", "PositionNet", "load_gligen", "patcher_of"]


class Gligen(nn.Module):
    """The modules of a GLIGEN, in the order in which the UNet's transformers run."""

    def __init__(self, modules: Sequence[nn.Module], position_net: PositionNet, key_dim: int) -> None:
        super().__init__()
        self.module_list = nn.ModuleList(modules)
        self.position_net = position_net
        self.key_dim = key_dim
        self.max_objs = MOST
        self.current_device = torch.device("cpu")
        self.ours: values.Gligen | None = None

    @classmethod
    def around(cls, ours: values.Gligen) -> "Gligen":
        """The modules of one of ours, which come to their device when they are asked."""
        network: Any = ours.part.module
        made = cls([*network.module_list], network.position_net, ours.text_width)
        made.ours = ours
        made.residence = Residence(ours.part, ours.keeper, "")  # type: ignore[assignment]
        return made

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Its weights on their device, for as long as the block lasts."""
        if self.ours is None:
            yield
        else:
            with self.ours.keeper.using(self.ours.part), torch.no_grad():
                yield

    def _set_position(self, boxes: Tensor, masks: Tensor, positive_embeddings: Tensor) -> Placed:
        """The patch that shows these objects to the transformers."""
        objects = self.position_net(boxes, masks, positive_embeddings)

        def patch(x: Tensor, extra_options: Mapping[str, Any]) -> Tensor:
            shown = objects if objects.shape[0] == x.shape[0] else objects[:1].expand(x.shape[0], -1, -1)
            with self.ready():
                module = self.module_list[extra_options["transformer_index"]]
                like = module.linear.weight
                return module(x.to(like), shown.to(like)).to(x)

        return patch

    def set_position(self, latent_image_shape: Sequence[int], position_params: Sequence[Any], device: Any) -> Placed:
        """The patch for phrases (vector, height, width, y, x) in latent cells."""
        batch, _, height, width = latent_image_shape[:4]
        boxes, masks = torch.zeros(self.max_objs, 4), torch.zeros(self.max_objs)
        phrases = torch.zeros(self.max_objs, self.key_dim)
        for index, (phrase, h, w, y, x) in enumerate(position_params[: self.max_objs]):
            boxes[index] = torch.tensor([x / width, y / height, (x + w) / width, (y + h) / height])
            masks[index], phrases[index] = 1.0, phrase.flatten()
        return self._placed(batch, boxes, masks, phrases)

    def set_empty(self, latent_image_shape: Sequence[int], device: Any) -> Placed:
        """The patch without any object."""
        none = torch.zeros(self.max_objs)
        empty = torch.zeros(self.max_objs, self.key_dim)
        return self._placed(latent_image_shape[0], torch.zeros(self.max_objs, 4), none, empty)

    def _placed(self, batch: int, boxes: Tensor, masks: Tensor, phrases: Tensor) -> Placed:
        with self.ready(), torch.no_grad():
            like = self.position_net.null_positive_feature
            spread = [each.to(like).expand(batch, *each.shape) for each in (boxes, masks, phrases)]
            return self._set_position(*spread)


def load_gligen(sd: Mapping[str, Tensor]) -> Gligen:
    """The network of a GLIGEN file's tensors. Raises: CheckpointError."""
    return Gligen.around(host().loader.gligen(in_memory("GLIGEN", sd)))


def patcher_of(ours: values.Gligen) -> Any:
    """One of our networks as plugins hold it."""
    place = ours.part.place
    offload = comfy.model_management.unet_offload_device()
    return comfy.model_patcher.ModelPatcher(Gligen.around(ours), load_device=place.device, offload_device=offload)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
