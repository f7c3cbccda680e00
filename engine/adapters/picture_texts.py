"""Pictures that become part of a text: a style adapter's tokens behind it, PhotoMaker's face in one of its words.

Source: node_behaviour.md 1.2 (StyleModelApply) and F.4.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from engine.devices.residency import Keeper, Part
from engine.errors import CheckpointError, SamplingError
from engine.models.style_model import StyleModel
from engine.text.tokenizer import CHUNK, Chunk

if TYPE_CHECKING:
    from engine.models.photomaker import PhotoMaker
    from engine.values import Clip

log = logging.getLogger(__name__)

TRIGGER = "photomaker"
"""The word of a prompt behind the one that becomes the face."""


@dataclass(frozen=True, eq=False)
class Style:
    """A style adapter. Plugins' style models have the same member, so that either works in the other's place."""

    part: Part[StyleModel]
    keeper: Keeper

    def get_cond(self, seen: Any) -> Tensor:
        """The tokens [B, n, D] of what a CLIP vision saw, float32 on the CPU. Raises: CheckpointError, for others."""
        states, config = seen.last_hidden_state, self.part.module.config
        if states.shape[-1] != config.width:
            raise CheckpointError(
                f"{self.part.name} reads pictures as {config.width} features, this CLIP vision model makes "
                f"{states.shape[-1]}; load the one it was trained with (ViT-L)"
            )
        place = self.part.place
        with self.keeper.using(self.part) as network, torch.no_grad():
            found: Tensor = network(states.to(place.device, place.dtype))
        return found.float().cpu()


@dataclass(frozen=True, eq=False)
class Faces:
    """PhotoMaker: what turns faces into a part of SDXL's texts."""

    part: "Part[PhotoMaker]"
    keeper: Keeper

    def fused(self, tokens: Tensor, image: Tensor, place: int) -> Tensor:
        """A text with faces in as many tokens from this place on as there are photographs, one in each.

        Shapes: tokens [1, 77, D]; image [B, H, W, C] of 0 … 1. Raises: CheckpointError, for a text of another width.
        """
        from engine.models.vision import preprocessed  # slow: it imports transformers

        config = self.part.module.photomaker_config
        if tokens.shape[-1] != config.width:
            raise CheckpointError(
                f"{self.part.name} changes texts of {config.width} features (SDXL's two encoders), this text has "
                f"{tokens.shape[-1]}; take the CLIP of an SDXL checkpoint"
            )
        where = self.part.place
        words = slice(place, place + len(image))
        pixels = preprocessed(image, config.vision.picture)
        with self.keeper.using(self.part) as network, torch.no_grad():
            faces = network.identities(pixels.to(where.device, where.dtype))
            fused = network.fuse_module(tokens[0, words].to(where.device, where.dtype), faces)
        made = tokens.clone()
        made[0, words] = fused.to(tokens)
        return made


def styled(conditioning: Sequence[Sequence[Any]], style: Tensor, strength: float, by_bias: bool) -> list[list[Any]]:
    """Every entry with a style's tokens behind its own. Shapes: style [B, n, D].

    `by_bias`: the strength is how much attention they get, and not how large they are.
    Raises: SamplingError, for a style of another width than the text's.
    """
    tokens = style.flatten(0, 1)[None]
    if not by_bias:
        tokens = tokens * strength
    elif strength != 1:
        log.warning("strength_type attn_bias has no effect on UNets, which use no attention mask; use multiply")
    return [_with_style(entry[0], entry[1], tokens, strength if by_bias else 1.0) for entry in conditioning]


def place_of_trigger(text: str) -> int | None:
    """The number of the trigger among the words of a text, None where it is not there."""
    words = text.split(" ")
    return words.index(TRIGGER) if TRIGGER in words else None


def encoded_with_face(clip: "Clip", text: str, faces: Faces, image: Tensor, place: int) -> tuple[Tensor, Tensor]:
    """A text as vectors with a face in one of them, and its summary; with several photographs, one in each of several.

    Shapes: image [B, H, W, C] of 0 … 1. Raises: SamplingError, CheckpointError.
    Source: PhotoMaker's paper, section 3.2: the word is there as often as there are photographs (a stacked embedding).
    """
    chunks = clip.tokenize(text)
    without = {id: [_without(chunk, place + 1) for chunk in each] for id, each in chunks.items()}
    free = min(_padding(chunk) for each in without.values() for chunk in each)
    most, count = CHUNK - 1 - len(image), len(image)
    if place >= CHUNK or any(len(each) > 1 for each in without.values()) or count - 1 > free:
        raise SamplingError(
            f"text: PhotoMaker takes texts of at most {most} tokens with {count} photograph{'s' * (count > 1)}, with "
            f"{TRIGGER!r} among them; shorten it{' or give fewer photographs' * (count > 1)}"
        )
    repeated = {id: [_repeated(chunk, place, count) for chunk in each] for id, each in without.items()}
    tokens, pooled = clip.encode_chunks(repeated)
    return faces.fused(tokens, image, place), pooled


def _repeated(chunk: Chunk, place: int, count: int) -> Chunk:
    """A chunk with its token at a place so many times; what stands behind its end goes."""
    return (*chunk[:place], *[chunk[place]] * count, *chunk[place + 1 :])[: len(chunk)]


def _padding(chunk: Chunk) -> int:
    """How many tokens of a chunk stand behind its end."""
    inside = [number for number, token in enumerate(chunk) if token.piece != 0]
    return len(chunk) - (max(inside, default=0) + 2)


def _without(chunk: Chunk, piece: int) -> Chunk:
    """A chunk without one of the prompt's pieces, filled up with its last token."""
    # ComfyUI: a piece is all that has one weight, so that a plain prompt loses nothing unless the trigger comes first.
    kept = [token for token in chunk if token.piece != piece]
    return (*kept, *[kept[-1]] * (len(chunk) - len(kept)))


def _with_style(text: Tensor, options: Mapping[str, Any], style: Tensor, strength: float) -> list[Any]:
    if style.shape[-1] != text.shape[-1]:
        raise SamplingError(
            f"conditioning: its text has {text.shape[-1]} features, the style model makes {style.shape[-1]}; a style "
            "model works with the family it was made for (Stable Diffusion 1)"
        )
    behind = style.to(text).expand(len(text), -1, -1)
    joined = torch.cat([text, behind], dim=1)
    known = options.get("attention_mask")
    if known is None and strength == 1:
        return [joined, dict(options)]
    grid = options.get("attention_mask_img_shape", (1, 1))
    mask = _mask(text.shape[1], style.shape[1], grid, known, strength)
    return [joined, {**options, "attention_mask": mask, "attention_mask_img_shape": grid}]


def _mask(text: int, style: int, grid: Sequence[int], known: Tensor | None, strength: float) -> Tensor:
    """What is added to attention's scores, [1, S, S] for text, style and picture cells in this order."""
    cells = math.prod(grid)
    size = text + style + cells
    mask = torch.zeros(1 if known is None else len(known), size, size, dtype=torch.float16)
    # Everything but the style, which a mask from before is about.
    others = torch.tensor([*range(text), *range(text + style, size)])
    if known is not None:
        if known.shape[-1] != text + cells:
            raise SamplingError(f"conditioning: its attention_mask is for {known.shape[-1]} tokens, not {text + cells}")
        if known.dtype == torch.bool:
            known = torch.zeros(known.shape, dtype=torch.float16).masked_fill(~known, -math.inf)
        mask[:, others[:, None], others] = known.to(torch.float16)
    bias = math.log(strength) if strength > 0 else -math.inf
    mask[:, others, text : text + style] = bias
    return mask
