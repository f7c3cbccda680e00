"""From a file to the values of a graph: checkpoints, and files that hold one part."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.checkpoints import controls, diffusers_folder, image_prompts, keys, parameterization
from engine.checkpoints.build import Builder
from engine.checkpoints.configs import Configuration
from engine.checkpoints.detect import Match, detect
from engine.checkpoints.families import sdxl
from engine.checkpoints.family import TextSpec
from engine.checkpoints.lora_files import Lora, LoraFiles
from engine.checkpoints.tensors import TensorFile, in_memory, open_tensors, read_object
from engine.checkpoints.texts import Tower, tower
from engine.devices.device import CPU, Devices
from engine.devices.residency import Keeper, MakeRoom, Part
from engine.errors import CheckpointError
from engine.models import taesd
from engine.models.latent_format import SD1, LatentFormat
from engine.text.embedding import Embeddings
from engine.text.embedding import Folders as EmbeddingFolders
from engine.text.tokenizer import Tokenizer
from engine.values import Clip, ClipVision, Control, Encoder, Gligen, Model, PixelSpace, Vae

if TYPE_CHECKING:
    from engine.text.clip import TextEncoder

log = logging.getLogger(__name__)

VAE_PREFIXES = ("first_stage_model.", "vae.", "")
"""Where an autoencoder may be in a file of its own."""


VISION_PREFIXES = (
    "",
    "visual.",
    "clip_l_vision.",
    "embedder.model.visual.",
    "conditioner.embedders.0.open_clip.model.visual.",
)
"""Where a CLIP vision tower may be. Source: node_behaviour.md A.3."""


@dataclass(frozen=True)
class Checkpoint:
    """The parts of a checkpoint; those the file does not have are None. `vision` is there when it was asked for."""

    model: Model
    clip: Clip | None
    vae: Vae | None
    vision: ClipVision | None = None


class Loader:
    """Opens model files. One for the whole program, so that everything it opens shares the memory of the devices.

    `embeddings` are the folders of learned words. `make_room` is asked when a device is full, before parts leave it.
    """

    def __init__(
        self,
        devices: Devices | None = None,
        embeddings: EmbeddingFolders = (),
        keeper: Keeper | None = None,
        make_room: MakeRoom | None = None,
    ) -> None:
        self.devices = devices or Devices()
        self.keeper = keeper or _keeper(self.devices, make_room)
        self.embeddings = Embeddings(embeddings, read_object)
        self._tokenizers: dict[int, Tokenizer] = {}
        self._loras = LoraFiles()

    def opened(self, source: Path | TensorFile) -> TensorFile:
        """What is in a file; all files but LoRAs are opened here. Raises: CheckpointError."""
        return source if isinstance(source, TensorFile) else open_tensors(source)

    def checkpoint(
        self, source: Path | TensorFile, said: Configuration | None = None, *, with_vision: bool = False
    ) -> Checkpoint:
        """The parts of a checkpoint; a file with a denoiser alone has only that.

        `said` is what is known of it besides its tensors. `with_vision`: CLIP's eyes too, for families that have them.

        Raises: CheckpointError, saying what is wrong with the file, and what it is instead where we can tell.
        """
        file = _in_our_layout(self.opened(source))
        match = detect(file)
        builder = Builder(file, self.devices)
        vae = builder.vae(match.family.vae_prefix)
        clip = self._clips(match, builder)
        if clip is not None and said is not None and said.last_layer is not None:
            clip = clip.with_last_layer(said.last_layer)
        prefix = match.family.vision_prefix if with_vision else ""
        eyes = builder.vision(prefix) if prefix else None
        return Checkpoint(
            self._model(match, builder, said),
            clip,
            Vae(vae, self.keeper) if vae is not None else None,
            ClipVision(eyes, self.keeper) if eyes is not None else None,
        )

    def denoiser(
        self, source: Path | TensorFile, said: Configuration | None = None, *, stored: torch.dtype | None = None
    ) -> Model:
        """The denoiser of a file, which may be alone in it, under our names or diffusers'.

        `stored` is the number format its weights rest in, None for the file's; they are cast where they are used.

        Raises: CheckpointError.
        """
        file = _in_our_layout(self.opened(source))
        return self._model(detect(file), Builder(file, self.devices, stored), said)

    def diffusers(self, folder: Path) -> Checkpoint:
        """The parts of a model in diffusers' layout. Raises: CheckpointError."""
        found = diffusers_folder.parts(folder)
        file = _in_our_layout(self.opened(found.unet))
        match = detect(file)
        clip = self._encoders([self.opened(path) for path in found.texts], match.family.texts)
        return Checkpoint(
            self._model(match, Builder(file, self.devices), found.said),
            clip,
            None if found.vae is None else self.vae(found.vae),
        )

    def text_encoder(self, source: Path | TensorFile) -> Clip:
        """A CLIP text encoder from a file of its own.

        Raises: CheckpointError, naming what it is instead where we can tell.
        """
        return self.text_encoders([source])

    def text_encoders(self, sources: Sequence[Path | TensorFile], *, on_cpu: bool = False) -> Clip:
        """A text encoder from a file of its own, or SDXL's two from two files, in any order.

        Raises: CheckpointError, naming what it is instead where we can tell, or for two that no family has.
        """
        files = [self.opened(source) for source in sources]
        devices = replace(self.devices, text=CPU) if on_cpu else self.devices
        if len(files) == 1:
            found = tower(files[0])
            return self._clip(self._encoder(Builder(files[0], devices).tower(found), found.spec))
        clip = self._encoders(files, sdxl.TEXTS, devices)
        if clip is None:
            names = " and ".join(f"{file.path.name} ({tower(file).spec.id})" for file in files)
            raise CheckpointError(
                f"expected a CLIP-L and a CLIP-G, SDXL's two text encoders, got {names}; other sets belong to families "
                "that are not supported yet"
            )
        return clip

    def vae(self, source: Path | TensorFile) -> Vae:
        """An autoencoder from a file of its own, or out of a checkpoint.

        Raises: CheckpointError.
        """
        builder = Builder(self.opened(source), self.devices)
        for prefix in VAE_PREFIXES:
            part = builder.vae(prefix)
            if part is not None:
                return Vae(part, self.keeper)
        raise CheckpointError(
            f"{builder.file.path.name}: no autoencoder inside; expected tensors such as decoder.conv_in.weight, "
            f"got {', '.join(sorted(builder.file.shapes)[:3])}"
        )

    def small_vae(self, name: str, encoder: Path, decoder: Path) -> Vae:
        """One of the small autoencoders for previews, by its name and the files of its halves.

        Raises: CheckpointError.
        """
        scale, shift = taesd.LATENTS[name]
        tensors = {"vae_scale": torch.tensor(scale), "vae_shift": torch.tensor(shift)}
        for half, path in (("taesd_encoder", encoder), ("taesd_decoder", decoder)):
            tensors |= {f"{half}.{key}": tensor for key, tensor in self.opened(path).read().items()}
        if taesd.MARK not in tensors:
            raise CheckpointError(f"{decoder.name}: no decoder of {name} inside; expected a tensor 1.weight")
        return self.vae(in_memory(name, tensors))

    def pixel_space(self) -> Vae:
        """No autoencoder at all, for models that work on pixels."""
        return Vae(Part("pixel space", PixelSpace(), {}, self.devices.place("vae")), self.keeper)

    def controlnet(self, source: Path | TensorFile, base: Model | None = None) -> Control:
        """A ControlNet, control-LoRA or T2I-Adapter, in any layout.

        `base` is the model that a file may hold the difference to.

        Raises: CheckpointError, for a file that is none (saying what it is), or of a kind we cannot run.
        """
        file = self.opened(source)
        return controls.controlnet(Builder(file, self.devices), self.keeper, base)

    def gligen(self, source: Path | TensorFile) -> Gligen:
        """What draws phrases in boxes. Raises: CheckpointError, naming what the file is instead where we can tell."""
        return controls.gligen(Builder(self.opened(source), self.devices), self.keeper)

    def clip_vision(self, source: Path | TensorFile) -> ClipVision:
        """CLIP's eyes, from a file of their own or out of a checkpoint.

        Raises: CheckpointError.
        """
        builder = Builder(self.opened(source), self.devices)
        for prefix in VISION_PREFIXES:
            part = builder.vision(prefix)
            if part is not None:
                return ClipVision(part, self.keeper)
        raise image_prompts.no_vision(builder.file)

    def lora(self, path: Path) -> Lora:
        """A file of changes for other files' weights; one that was read lately is not read again.

        Raises: CheckpointError.
        """
        return self._loras.read(path)

    def _model(self, match: Match, builder: Builder, said: Configuration | None = None) -> Model:
        shows_scaled = parameterization.shows_scaled(builder.file, match, builder.hints)
        return Model(
            builder.unet(match.prefix, match.family, shows_scaled),
            self.keeper,
            parameterization.prediction(builder.file, match, builder.hints, said),
            _latent_format(match, builder, said),
            match.family.id,
        )

    def _clips(self, match: Match, builder: Builder) -> Clip | None:
        """A family's text encoders, when the file has them all; what is there of several is no use alone."""
        specs = match.family.texts
        found = [(builder.text(spec), spec) for spec in specs]
        here = [self._encoder(part, spec) for part, spec in found if part is not None]
        if here and len(here) < len(specs):
            missing = ", ".join(spec.id for part, spec in found if part is None)
            log.warning("%s: without its text encoder %s, so it has none", builder.file.path.name, missing)
        return self._clip(*here) if here and len(here) == len(specs) else None

    def _encoders(
        self, files: Sequence[TensorFile], specs: Sequence[TextSpec], devices: Devices | None = None
    ) -> Clip | None:
        """These text encoders, each from the file that has it; None unless every one has a file, and every file one."""
        found = {each.spec.id: (file, each) for file in files for each in [tower(file)]}
        if len(files) != len(specs) or found.keys() != {spec.id for spec in specs}:
            return None
        made = []
        for spec in specs:
            file, its = found[spec.id]
            spec = _fitted(spec, its)
            part = Builder(file, devices or self.devices).tower(replace(its, spec=spec))
            made.append(self._encoder(part, spec))
        return self._clip(*made)

    def _encoder(self, part: "Part[TextEncoder]", spec: TextSpec) -> Encoder:
        if spec.padding not in self._tokenizers:
            self._tokenizers[spec.padding] = Tokenizer(spec.padding)
        tokenizer = self._tokenizers[spec.padding]
        return Encoder(spec.id, part, tokenizer, spec.last_layer, spec.final_norm, spec.is_projected)

    def _clip(self, *encoders: Encoder) -> Clip:
        return Clip(encoders, self.keeper, self.embeddings)


def _keeper(devices: Devices, make_room: MakeRoom | None) -> Keeper:
    return Keeper(
        reserve=devices.reserve,
        keeps=devices.keeps,
        make_room=make_room,
        budget=devices.budget,
        share=devices.share,
    )


def _fitted(spec: TextSpec, found: Tower) -> TextSpec:
    """The layer to take of an encoder in a file of its own: diffusers leaves out those that are not used."""
    return replace(spec, last_layer=found.spec.last_layer) if found.is_cut_short else spec


def _latent_format(match: Match, builder: Builder, said: Configuration | None) -> LatentFormat:
    """The family's latents, with the colours the file says its own have, where they are as many as the channels."""
    usual = parameterization.latent_format(builder.file, match, match.family.latent_format or SD1, builder.hints, said)
    rows = builder.hints.latent_colours
    if rows is None or len(rows) != usual.channels + 1:
        return usual
    *factors, bias = [(float(red), float(green), float(blue)) for red, green, blue in rows]
    return replace(usual, rgb_factors=tuple(factors), rgb_bias=bias)


def _in_our_layout(file: TensorFile) -> TensorFile:
    """A diffusers denoiser with its tensors under our names; any other file as it is."""
    if "conv_in.weight" not in file.shapes or "down_blocks.0.resnets.0.norm1.weight" not in file.shapes:
        return file
    names = keys.unet_names(keys.diffusers_unet_config(file.shapes))
    theirs = {keys.our_name(name, names): name for name in file.shapes}
    return replace(
        file,
        shapes={ours: file.shapes[name] for ours, name in theirs.items()},
        load=lambda wanted: {ours: file.load([theirs[ours]])[theirs[ours]] for ours in wanted},
    )
