"""One network from the tensors of a file: built on the meta device, its weights left where they are."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from engine.checkpoints import keys, open_clip, scaled, texts
from engine.checkpoints.family import Family, TextSpec
from engine.checkpoints.hints import TOKEN_IDS, Hints
from engine.checkpoints.tensors import Shape, Shapes, TensorFile
from engine.checkpoints.texts import Tower
from engine.devices.device import Devices, PartKind
from engine.devices.residency import Network, Part
from engine.errors import CheckpointError
from engine.models import taesd
from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.models.gligen import Gligen, GligenConfig
from engine.models.gligen import names as gligen_names
from engine.models.t2i_adapter import AdapterConfig, T2IAdapter
from engine.models.taesd import TinyAutoencoder, TinyConfig
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.models.vae import AutoencoderKL, VAEConfig

if TYPE_CHECKING:
    from engine.models.vision import SiglipTower, VisionTower
    from engine.text.clip import TextEncoder

log = logging.getLogger(__name__)

Config = TypeVar("Config")

VOCABULARY = 49408
"""CLIP's tokens, which a shortened table is filled up to."""

SD2_CONTEXT = 1024
"""The width of Stable Diffusion 2's texts; half precision overflows in its attention, and in its ControlNets'."""

_TOKENS = "embeddings.token_embedding.weight"


class Builder:
    """Builds the networks of one file for the devices they will run on.

    `stored` is the number format the denoiser's weights rest in; None for what the devices say, or the file's.
    """

    def __init__(self, file: TensorFile, devices: Devices, stored: torch.dtype | None = None) -> None:
        self.file = file
        self.devices = devices
        self.stored = stored
        self.hints = Hints.of(file.metadata, file.path.name)

    def unet(self, prefix: str, family: Family | None = None, shows_scaled: bool = False) -> Part[UNet]:
        """The denoiser below a prefix, with what shapes do not tell taken from its family.

        `shows_scaled`: should it edit pictures, it was trained to see them scaled (CosXL).

        Raises: CheckpointError.
        """
        tensors = self.file.read(prefix)
        config = self._config(tensors, lambda shapes: UNetConfig.from_shapes(shapes, self.hints.unet_heads))
        if family is not None:
            config = replace(config, vector=family.vector, float32_attention=family.float32_attention)
        config = replace(config, scaled_picture=shows_scaled)
        tensors = scaled.stored_as(tensors, self.stored or self.devices.network_storage)
        return self._part("the denoiser", "network", lambda: UNet(config), tensors)

    def text(self, spec: TextSpec) -> "Part[TextEncoder] | None":
        """A family's CLIP text encoder, in either layout, or None when the file has none. Raises: CheckpointError."""
        for prefix in (spec.prefix, *spec.elsewhere):
            tensors = texts.network(self.file.read(prefix))
            if tensors:
                return self.tower(Tower(spec, tensors))
        return None

    def tower(self, found: Tower) -> "Part[TextEncoder]":
        """A CLIP text encoder whose weights were found. Raises: CheckpointError."""
        from engine.text.clip import TextConfig, TextEncoder  # slow: it imports transformers

        tensors, spec, hints = dict(found.tensors), found.spec, self.hints
        if TOKEN_IDS in self.file.shapes:
            tensors[_TOKENS] = self._full_table(tensors[_TOKENS])
        if spec.is_projected and found.projection is None:
            lacks = texts.PROJECTION
            log.warning("%s: the text encoder has no %s; its summary is used as it is", self.file.path.name, lacks)
        activation = hints.clip_activation or spec.activation
        config = self._config(tensors, lambda shapes: TextConfig.from_shapes(shapes, hints.clip_heads, activation))
        tensors = scaled.stored_as(tensors, self.devices.text_storage)
        return self._part("the text encoder", "text", lambda: TextEncoder(config), tensors)

    def vision(self, prefix: str) -> "Part[VisionTower | SiglipTower] | None":
        """CLIP's vision tower below a prefix, in either layout, or SigLIP's, or None. Raises: CheckpointError."""
        tensors = self.file.read(prefix)
        if open_clip.is_open_clip(tensors):
            tensors = open_clip.converted(tensors, vision=True)
        tensors = {name.removeprefix("vision_model."): tensor for name, tensor in tensors.items()}
        is_siglip = "embeddings.patch_embedding.bias" in tensors and "embeddings.class_embedding" not in tensors
        if "embeddings.patch_embedding.weight" not in tensors:
            return None
        if not is_siglip and "visual_projection.weight" not in tensors:
            return None
        from engine.models.vision import VisionConfig, tower  # slow: it imports transformers

        config = self._config(tensors, VisionConfig.from_shapes)
        return self._part("the CLIP vision tower", "text", lambda: tower(config), tensors)

    def vae(self, prefix: str) -> Part[AutoencoderKL | TinyAutoencoder] | None:
        """The autoencoder below a prefix, in the original layout or diffusers', or None. Raises: CheckpointError."""
        tensors = self.file.read(prefix)
        if taesd.MARK in tensors:
            return self._small_vae(tensors)
        if "decoder.up_blocks.0.resnets.0.norm1.weight" in tensors:
            tensors = keys.translated(tensors, keys.diffusers_vae_names(shapes_of(tensors)))
        if "decoder.conv_in.weight" not in tensors:
            return None
        tensors = {name: _as_convolution(name, tensor) for name, tensor in tensors.items()}
        config = self._config(tensors, VAEConfig.from_shapes)
        return self._part("the autoencoder", "vae", lambda: AutoencoderKL(config), tensors)

    def _small_vae(self, tensors: Mapping[str, Tensor]) -> Part[TinyAutoencoder]:
        told = {"vae_scale": torch.tensor(1.0), "vae_shift": torch.tensor(0.0), **tensors}
        config = self._config(tensors, lambda shapes: TinyConfig(shapes[taesd.MARK][1]))
        return self._part("the small autoencoder", "vae", lambda: TinyAutoencoder(config), told)

    def controlnet(self, prefix: str, like: UNetConfig | None = None) -> Part[ControlNet]:
        """The ControlNet below a prefix, in the original layout or diffusers'.

        `like` is the denoiser that it was grown from, whose heads it has.

        Raises: CheckpointError.
        """
        tensors = self.file.read(prefix)
        if "controlnet_cond_embedding.conv_in.weight" in tensors:
            tensors = keys.translated(tensors, keys.diffusers_controlnet_names(shapes_of(tensors)))
        config = self._config(tensors, lambda shapes: ControlNetConfig.from_shapes(shapes, self.hints.unet_heads))
        if like is not None:
            same = {name: getattr(like, name) for name in ("heads", "head_width", "float32_attention")}
            config = replace(config, unet=replace(config.unet, **same))
        elif config.unet.context_width == SD2_CONTEXT:
            config = replace(config, unet=replace(config.unet, float32_attention=True))
        return self._part("the ControlNet", "network", lambda: ControlNet(config), tensors)

    def adapter(self, tensors: Mapping[str, Tensor]) -> Part[T2IAdapter]:
        """A T2I-Adapter whose weights have our names. Raises: CheckpointError."""
        config = self._config(tensors, AdapterConfig.from_shapes)
        return self._part("the T2I-Adapter", "network", lambda: T2IAdapter(config), tensors)

    def gligen(self) -> Part[Gligen]:
        """The GLIGEN of the file. Raises: CheckpointError."""
        ours = gligen_names(self.file.shapes)
        tensors = {ours[name]: tensor for name, tensor in self.file.read().items()}
        config = self._config(tensors, GligenConfig.from_shapes)
        return self._part("the GLIGEN", "network", lambda: Gligen(config), tensors)

    def _config(self, tensors: Mapping[str, Tensor], read: Callable[[Shapes], Config]) -> Config:
        try:
            return read(shapes_of(tensors))
        except CheckpointError as error:
            raise CheckpointError(f"{self.file.path.name}: {error}") from error
        except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
            raise CheckpointError(
                f"{self.file.path.name}: a part is incomplete or in another layout; missing: {error}"
            ) from error

    def _part(
        self, what: str, kind: PartKind, make: Callable[[], Network], tensors: Mapping[str, Tensor]
    ) -> Part[Network]:
        name = self.file.path.name
        try:
            with torch.device("meta"):
                module = make()
        except (ValueError, RuntimeError, ZeroDivisionError, IndexError, StopIteration) as error:
            raise CheckpointError(f"{name}: {what} has a shape no network of ours can take: {error}") from error
        weights = self._fitting(what, {n: tuple(p.shape) for n, p in module.named_parameters()}, tensors)
        at_rest = scaled.resting(f"{name}: {what}", weights, tensors, scaled.is_marked(self.file.shapes))
        return Part(f"{what} of {name}", module, at_rest, self.devices.place(kind, stored_format(weights)))

    def _fitting(self, what: str, wanted: Shapes, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors a network wants, if they are all there in the right shape; others are left alone."""
        missing = [name for name in wanted if name not in tensors]
        wrong = [name for name in wanted if name in tensors and tuple(tensors[name].shape) != wanted[name]]
        if missing or wrong:
            problems = [f"{name} is missing" for name in missing]
            problems += [f"{name} is {list(tensors[name].shape)}, not {list(wanted[name])}" for name in wrong]
            raise CheckpointError(
                f"{self.file.path.name}: {what} is incomplete, {len(problems)} of {len(wanted)} tensors: "
                f"{'; '.join(problems[:3])}{' …' if len(problems) > 3 else ''}"
            )
        whole = [name for name in wanted if not tensors[name].is_floating_point()]
        if whole:
            raise CheckpointError(
                f"{self.file.path.name}: {what} has {whole[0]} in {str(tensors[whole[0]].dtype)[6:]}, expected "
                "floating point numbers; quantised files are not supported, get one in 16 or 32 bits"
            )
        return {name: tensors[name] for name in wanted}

    def _full_table(self, rows: Tensor) -> Tensor:
        ids = self.file.read(TOKEN_IDS)[""].long()
        if ids.shape != rows.shape[:1] or ids.numel() == 0 or int(ids.min()) < 0 or int(ids.max()) >= VOCABULARY:
            raise CheckpointError(
                f"{self.file.path.name}: {TOKEN_IDS} names {ids.numel()} tokens for a table of {len(rows)} rows"
            )
        return keys.expanded(rows, ids, VOCABULARY)


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """Names and shapes."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def stored_format(weights: Mapping[str, Tensor]) -> torch.dtype:
    """The number format that most of the numbers are stored in."""
    counts: Counter[torch.dtype] = Counter()
    for weight in weights.values():
        counts[weight.dtype] += weight.numel()
    return counts.most_common(1)[0][0] if counts else torch.float32


def _as_convolution(name: str, tensor: Tensor) -> Tensor:
    """Some autoencoders keep the attention's 1×1 convolutions as matrices."""
    return tensor[:, :, None, None] if ".mid.attn_1." in name and tensor.ndim == 2 else tensor
