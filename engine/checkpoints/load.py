"""From a file to the values of a graph: checkpoints, and files that hold one part."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.checkpoints import keys
from engine.checkpoints.build import Builder
from engine.checkpoints.detect import Match, detect, network_prefix
from engine.checkpoints.family import TextSpec
from engine.checkpoints.hints import Hints
from engine.checkpoints.lora import Lora
from engine.checkpoints.tensors import TensorFile, open_tensors, read_object
from engine.checkpoints.texts import tower
from engine.devices.device import Devices
from engine.devices.residency import Keeper, MakeRoom, Part
from engine.errors import CheckpointError
from engine.models.latent_format import SD1, LatentFormat
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable
from engine.text.embedding import Embeddings
from engine.text.embedding import Folders as EmbeddingFolders
from engine.text.tokenizer import Tokenizer
from engine.values import Clip, ClipVision, ControlNet, Model, PixelSpace, Vae

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
    """The parts of a checkpoint; those the file does not have are None."""

    model: Model
    clip: Clip | None
    vae: Vae | None


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
        self.keeper = keeper or Keeper(reserve=self.devices.reserve, keeps=self.devices.keeps, make_room=make_room)
        self.embeddings = Embeddings(embeddings, read_object)
        self._tokenizers: dict[int, Tokenizer] = {}

    def checkpoint(self, source: Path | TensorFile) -> Checkpoint:
        """The parts of a checkpoint; a file with a denoiser alone has only that.

        Raises: CheckpointError, saying what is wrong with the file, and what it is instead where we can tell.
        """
        file = _in_our_layout(_opened(source))
        match = detect(file)
        builder = Builder(file, self.devices)
        text = match.family.texts[0] if match.family.texts else None
        clip = builder.text(text.prefix) if text is not None else None
        vae = builder.vae(match.family.vae_prefix)
        return Checkpoint(
            self._model(match, builder),
            self._clip(clip, text) if clip is not None and text is not None else None,
            Vae(vae, self.keeper) if vae is not None else None,
        )

    def text_encoder(self, source: Path | TensorFile) -> Clip:
        """A CLIP text encoder from a file of its own.

        Raises: CheckpointError, naming what it is instead where we can tell.
        """
        file = _opened(source)
        found = tower(file)
        return self._clip(Builder(file, self.devices).tower(found), found.spec)

    def vae(self, source: Path | TensorFile) -> Vae:
        """An autoencoder from a file of its own, or out of a checkpoint.

        Raises: CheckpointError.
        """
        builder = Builder(_opened(source), self.devices)
        for prefix in VAE_PREFIXES:
            part = builder.vae(prefix)
            if part is not None:
                return Vae(part, self.keeper)
        raise CheckpointError(
            f"{builder.file.path.name}: no autoencoder inside; expected tensors such as decoder.conv_in.weight, "
            f"got {', '.join(sorted(builder.file.shapes)[:3])}"
        )

    def pixel_space(self) -> Vae:
        """No autoencoder at all, for models that work on pixels."""
        return Vae(Part("pixel space", PixelSpace(), {}, self.devices.place("vae")), self.keeper)

    def controlnet(self, source: Path | TensorFile) -> ControlNet:
        """A ControlNet, in the original layout or diffusers'.

        Raises: CheckpointError, for a file that is none, or of a kind we cannot run yet.
        """
        file = _opened(source)
        builder = Builder(file, self.devices)
        # ComfyUI: the name alone says that a net's answers are to be averaged over the picture.
        is_pooled = file.path.stem.endswith(("_shuffle", "_shuffle_fp16"))
        return ControlNet(builder.controlnet(_controlnet_prefix(file)), self.keeper, is_pooled)

    def clip_vision(self, source: Path | TensorFile) -> ClipVision:
        """CLIP's eyes, from a file of their own or out of a checkpoint.

        Raises: CheckpointError.
        """
        builder = Builder(_opened(source), self.devices)
        for prefix in VISION_PREFIXES:
            part = builder.vision(prefix)
            if part is not None:
                return ClipVision(part, self.keeper)
        raise CheckpointError(
            f"{builder.file.path.name}: no CLIP vision tower inside; expected tensors such as "
            f"vision_model.encoder.layers.0.mlp.fc1.weight and visual_projection.weight, "
            f"got {', '.join(sorted(builder.file.shapes)[:3])}"
        )

    def lora(self, path: Path) -> Lora:
        """A file of changes for other files' weights. Raises: CheckpointError."""
        return Lora(path.name, open_tensors(path).read())

    def _model(self, match: Match, builder: Builder) -> Model:
        kind = builder.hints.prediction or match.family.prediction
        return Model(
            builder.unet(match.prefix),
            self.keeper,
            Prediction(kind, SigmaTable.from_flow() if kind == "flow" else SigmaTable.from_betas()),
            _latent_format(match, builder.hints),
            match.family.id,
        )

    def _clip(self, part: "Part[TextEncoder]", spec: TextSpec) -> Clip:
        if spec.padding not in self._tokenizers:
            self._tokenizers[spec.padding] = Tokenizer(spec.padding)
        tokenizer = self._tokenizers[spec.padding]
        return Clip(part, self.keeper, tokenizer, self.embeddings, spec.id, spec.last_layer, spec.final_norm)


def _opened(source: Path | TensorFile) -> TensorFile:
    return source if isinstance(source, TensorFile) else open_tensors(source)


def _latent_format(match: Match, hints: Hints) -> LatentFormat:
    """The family's latents, with the colours the file says its own have, where they are as many as the channels."""
    usual = match.family.latent_format or SD1
    rows = hints.latent_colours
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


def _controlnet_prefix(file: TensorFile) -> str:
    """Where the ControlNet is in the file. Source of the order: node_behaviour.md C.3."""
    name, shapes = file.path.name, file.shapes
    if "lora_controlnet" in shapes:
        raise CheckpointError(f"{name}: a control-LoRA, which is not supported yet; use a full ControlNet")
    if "control_add_embedding.linear_1.bias" in shapes:
        raise CheckpointError(f"{name}: a union ControlNet, which is not supported yet; use one for a single kind")
    if "controlnet_cond_embedding.conv_in.weight" in shapes or "zero_convs.0.0.weight" in shapes:
        return ""
    if "control_model.zero_convs.0.0.weight" in shapes:
        if "difference" in shapes:
            log.warning("%s holds only the difference to its base model, and will guide wrongly without it", name)
        return "control_model."
    kind = "a checkpoint" if network_prefix(shapes) else "of an unknown kind"
    raise CheckpointError(
        f"{name}: {kind}, not a ControlNet; expected tensors such as zero_convs.0.0.weight or "
        f"controlnet_cond_embedding.conv_in.weight, got {', '.join(sorted(shapes)[:3])}"
    )
