"""What flows over a graph's wires for models: the parts of a checkpoint, joined up with where they run.

A value is cheap to copy and never changes: a patched model is a new value that shares its network with the old one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from engine.controls import Adapter, Control, ControlLora, ControlNet
from engine.devices import finite, memory
from engine.devices.patches import Patches, joined
from engine.devices.residency import Keeper, Part
from engine.devices.tiles import Tiling, tiled
from engine.errors import CheckpointError, OutOfMemory, SamplingError
from engine.grounding import Gligen
from engine.models.latent_format import LatentFormat
from engine.models.taesd import TinyAutoencoder
from engine.models.vae import AutoencoderKL
from engine.sampling.guidance import Hooks
from engine.sampling.prediction import Prediction
from engine.text.embedding import Embeddings
from engine.text.encoder import encode
from engine.text.tokenizer import Chunk, Tokenizer

if TYPE_CHECKING:
    from engine.models.vision import Seen, SiglipTower, VisionTower
    from engine.text.clip import TextEncoder

__all__ = [
    "NOBODY",
    "Adapter",
    "Clip",
    "ClipVision",
    "Control",
    "ControlLora",
    "ControlNet",
    "Encoder",
    "Gligen",
    "Model",
    "PixelSpace",
    "Vae",
    "Watch",
]

Check = Callable[[], None]

Tile = int | tuple[int, int]
"""The side of a square tile, or a tile's height and width."""

WORKING_ROOM = 1 << 30
"""Bytes made free on a GPU for a denoiser's own work: a round guess, as sampling splits batches by what is free."""


@dataclass(frozen=True, eq=False)
class Model:
    """A denoiser: its network, what its answers mean, and the latents it was trained on.

    `hooks` step into guidance and into the network whenever it draws. `guest` is what a plugin keeps with the model:
    nobody here reads it, everybody carries it along.
    """

    part: Part[Any]
    keeper: Keeper
    prediction: Prediction
    latent_format: LatentFormat
    family: str
    patches: Patches = field(default_factory=dict)
    hooks: Hooks = field(default_factory=Hooks)
    guest: object | None = None

    def ready(self, check: Check = lambda: None) -> AbstractContextManager[Any]:
        """The network on its device with this value's patches on, for as long as the `with` block lasts.

        `check` is called while weights come and are changed, which may take seconds; it raises to stop.

        Raises: OutOfMemory.
        """
        working = 0 if self.part.place.device.type == "cpu" else WORKING_ROOM
        return self.keeper.using(self.part, self.patches, working, check)

    def with_patches(self, patches: Patches) -> "Model":
        """The same model with more changes of its weights, after those it has."""
        return replace(self, patches=joined(self.patches, patches))

    def with_prediction(self, prediction: Prediction) -> "Model":
        """The same model, its answers understood in another way."""
        return replace(self, prediction=prediction)

    def with_hooks(self, hooks: Hooks) -> "Model":
        """The same model with more hooks, after those it has."""
        return replace(self, hooks=self.hooks.joined(hooks))


@dataclass(frozen=True, eq=False)
class Encoder:
    """One text encoder of a Clip, and how its family uses it.

    `id` is how embedding files, LoRA files and patches name it: "clip_l", "clip_g" or "clip_h". `last_layer` -1 is the
    last one, -2 skips one, and so on; `final_norm` whether the layer chosen is normalised; `is_projected` whether the
    summary goes through the text projection, where the network has one.
    """

    id: str
    part: "Part[TextEncoder]"
    tokenizer: Tokenizer
    last_layer: int = -1
    final_norm: bool = True
    is_projected: bool = False

    @property
    def width(self) -> int:
        """How many features its vectors have."""
        return self.part.module.text_config.width


@dataclass(frozen=True, eq=False)
class Clip:
    """Text encoders with their tokenizers and the learned words they may use: one, or SDXL's two.

    Their vectors are joined by features, in the order of `encoders`; the summary is the last one's. `weights` and
    `patches` call a weight by its encoder's id and its name in that network ("clip_g.encoder.layers.0.mlp.fc1.weight",
    "clip_l.text_projection.weight"), also where there is only one encoder. `guest` is what a plugin keeps with the
    encoders, as with Model; `hooks` are changes for single texts and by schedule (engine.adapters.hooks).
    """

    encoders: tuple[Encoder, ...]
    keeper: Keeper
    embeddings: Embeddings
    patches: Patches = field(default_factory=dict)
    guest: object | None = None
    hooks: object | None = None

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights at rest of all encoders, without patches."""
        return {f"{each.id}.{name}": weight for each in self.encoders for name, weight in each.part.weights.items()}

    def patches_of(self, encoder: Encoder) -> Patches:
        """The changes of one encoder's weights, by its own names for them."""
        start = f"{encoder.id}."
        return {name[len(start) :]: each for name, each in self.patches.items() if name.startswith(start)}

    def tokenize(self, text: str) -> dict[str, list[Chunk]]:
        """A prompt as chunks of tokens for each encoder, by id. Raises: TextError, for a weight that is no number."""
        return {each.id: each.tokenizer.chunks(text, self._finder(each)) for each in self.encoders}

    def encode(self, text: str, check: Check = lambda: None) -> tuple[Tensor, Tensor]:
        """A prompt as vectors, emphasis and learned words included.

        `check` is called while weights come and are changed; it raises to stop.

        Returns: [1, 77·k, D] and the summary [1, P], float32 on the CPU.
        Raises: TextError, for a weight that is not a usable number; OutOfMemory.
        """
        return self.encode_chunks(self.tokenize(text), check)

    def encode_texts(self, texts: Mapping[str, str], check: Check = lambda: None) -> tuple[Tensor, Tensor]:
        """As `encode`, with a text for each encoder, by id; shorter ones are filled up with empty prompts.

        Raises: TextError; OutOfMemory; CheckpointError, when an encoder that has a text is not there.
        """
        absent = texts.keys() - {each.id for each in self.encoders}
        if absent:
            have = " and ".join(each.id for each in self.encoders)
            raise CheckpointError(
                f"this CLIP has no {' and no '.join(sorted(absent))}, only {have}; "
                "take the CLIP of an SDXL checkpoint, or use CLIPTextEncode"
            )
        chunks = {each.id: each.tokenizer.chunks(texts[each.id], self._finder(each)) for each in self.encoders}
        longest = max(len(found) for found in chunks.values())
        filled = {
            each.id: [*chunks[each.id], *[each.tokenizer.empty()] * (longest - len(chunks[each.id]))]
            for each in self.encoders
        }
        return self.encode_chunks(filled, check)

    def encode_chunks(
        self, chunks: Mapping[str, Sequence[Chunk]], check: Check = lambda: None, *, projected: bool = True
    ) -> tuple[Tensor, Tensor]:
        """As `encode`, from tokens that somebody else chose or weighted; `projected` False leaves the summary alone.

        Where the encoders have chunks of different numbers, all are cut to the fewest tokens.

        Raises: OutOfMemory.
        """
        found = [self._encoded(each, chunks[each.id], check, projected) for each in self.encoders]
        if len(found) == 1:
            return found[0]
        length = min(states.shape[1] for states, _ in found)
        return torch.cat([states[:, :length] for states, _ in found], dim=-1), found[-1][1]

    def with_hooks(self, hooks: object | None) -> "Clip":
        """The same encoders, their texts made with these hooks."""
        return replace(self, hooks=hooks)

    def with_last_layer(self, layer: int) -> "Clip":
        """The same encoders, all stopped at another layer ("clip skip")."""
        return replace(self, encoders=tuple(replace(each, last_layer=layer) for each in self.encoders))

    def with_patches(self, patches: Patches) -> "Clip":
        """The same encoders with more changes of their weights, after those they have."""
        return replace(self, patches=joined(self.patches, patches))

    def _encoded(
        self, encoder: Encoder, chunks: Sequence[Chunk], check: Check, projected: bool
    ) -> tuple[Tensor, Tensor]:
        with self.keeper.using(encoder.part, self.patches_of(encoder), check=check) as network:
            states, pooled = encode(
                network,
                chunks,
                encoder.tokenizer.empty(),
                encoder.last_layer,
                encoder.final_norm,
                projected and encoder.is_projected,
            )
            if not (finite.is_finite(states) and finite.is_finite(pooled)):
                place = encoder.part.place
                reason = finite.flaw(encoder.part) or finite.suspicion(place.dtype, "--fp32-text-enc")
                raise CheckpointError(f"{encoder.part.name} answered with {finite.NO_NUMBERS}: {reason}")
        return states, pooled

    def _finder(self, encoder: Encoder) -> Callable[[str], Tensor | None]:
        return lambda name: self.embeddings.find(name, encoder.id, encoder.width)


@dataclass(frozen=True, eq=False)
class ClipVision:
    """CLIP's eyes: what a picture shows, as vectors that guide a denoiser or a plugin."""

    part: "Part[VisionTower | SiglipTower]"
    keeper: Keeper

    @property
    def size(self) -> int:
        """How many pixels wide the square is that it sees."""
        return self.part.module.vision_config.picture

    def ready(self, image: Tensor, crop: bool = True) -> Tensor:
        """Pictures as `see` wants them: the middle square, or all of it stretched to one.

        Shapes: image [B, H, W, C] of 0 … 1. Returns: [B, 3, size, size].
        """
        from engine.models.vision import preprocessed  # slow: it imports transformers

        return preprocessed(image, self.size, *self.part.module.vision_config.colours, crop=crop)

    def look(self, image: Tensor, crop: bool = True) -> "Seen":
        """What pictures show. Shapes: image [B, H, W, C] of 0 … 1. Raises: OutOfMemory."""
        return self.see(self.ready(image, crop))

    def see(self, pixels: Tensor, keeps_all: bool = False) -> "Seen":
        """What pictures show, float32 on the CPU. Shapes: pixels [B, 3, size, size], normalised.

        Raises: OutOfMemory.
        """
        place = self.part.place
        with self.keeper.using(self.part) as tower, torch.no_grad():
            seen = tower(pixels.to(place.device, place.dtype), keeps_all)
        found: dict[str, Any] = {
            name: value.float().cpu() for name, value in vars(seen).items() if isinstance(value, Tensor)
        }
        return replace(seen, **found, image_sizes=[tuple(pixels.shape[1:])] * len(pixels))


@dataclass(frozen=True)
class Watch:
    """Whoever waits for long work: `check` is called often and raises to stop it, `progress(done, all)` as it goes."""

    check: Check | None = None
    progress: Callable[[int, int], None] | None = None

    def tell(self, done: int, total: int) -> None:
        """So many pieces of so many are done."""
        if self.progress is not None:
            self.progress(done, total)


NOBODY = Watch()


@dataclass(frozen=True, eq=False)
class Vae:
    """An autoencoder: pictures [B, H, W, C] of 0 … 1 to latents [B, C, h, w] and back, both float32 on the CPU.

    Batches are split by the memory that is free; when even one picture does not fit, it is worked on in tiles. `guest`
    is what a plugin keeps with the autoencoder, as with Model.
    """

    part: "Part[AutoencoderKL | TinyAutoencoder | PixelSpace]"
    keeper: Keeper
    guest: object | None = None

    @property
    def ratio(self) -> int:
        """How many pixels one latent cell is wide."""
        return self.part.module.downscale

    @property
    def latent_channels(self) -> int:
        """How many numbers a latent cell has."""
        config = getattr(self.part.module, "config", None)
        return PixelSpace.channels if config is None else config.latent_channels

    def encode(self, pixels: Tensor, watch: Watch = NOBODY) -> Tensor:
        """The latents of pictures; what does not fill a whole cell at the border is cut off evenly.

        Raises: OutOfMemory, when not even small tiles fit; CheckpointError or SamplingError, where no numbers come out.
        """
        given = self._cropped(pixels)
        try:
            return self._in_batches("encode", given, watch)
        except (RuntimeError, MemoryError) as error:
            _unless_out_of_memory(error)
        return self._in_smaller_tiles(
            lambda size: self.encode_tiled(pixels, size * self.ratio, size * self.ratio // 8, watch)
        )

    def decode(self, latent: Tensor, watch: Watch = NOBODY) -> Tensor:
        """The pictures of latents. A video's [B, C, T, h, w] becomes one picture per frame.

        Raises: as `encode`.
        """
        given = _frames(latent).float()
        try:
            return _to_pixels(self._in_batches("decode", given, watch))
        except (RuntimeError, MemoryError) as error:
            _unless_out_of_memory(error)
        return self._in_smaller_tiles(lambda size: self.decode_tiled(latent, size, size // 4, watch))

    def encode_tiled(self, pixels: Tensor, tile: Tile = 512, overlap: int = 64, watch: Watch = NOBODY) -> Tensor:
        """As `encode`, in tiles: the mean of three passes with tiles of different proportions.

        Units: tile and overlap in pixels.
        """
        height, width = _sides(tile)
        shapes = [(height, width), (height // 2, width * 2), (height * 2, width // 2)]
        return self._in_tiles("encode", self._cropped(pixels), _tilings(shapes, overlap), watch)

    def decode_tiled(self, latent: Tensor, tile: Tile = 64, overlap: int = 16, watch: Watch = NOBODY) -> Tensor:
        """As `decode`, in tiles: the mean of three passes with tiles of different proportions.

        Units: tile and overlap in latent cells.
        """
        height, width = _sides(tile)
        shapes = [(height * 2, width // 2), (height // 2, width * 2), (height, width)]
        return _to_pixels(self._in_tiles("decode", _frames(latent).float(), _tilings(shapes, overlap), watch))

    def _cropped(self, pixels: Tensor) -> Tensor:
        """Pictures as the network wants them: [B, 3, H, W] of -1 … 1 with sides that are multiples of the ratio."""
        ratio = self.ratio
        top, left = (size % ratio // 2 for size in pixels.shape[1:3])
        height, width = (size // ratio * ratio for size in pixels.shape[1:3])
        picture = pixels[:, top : top + height, left : left + width, :3]
        return picture.movedim(-1, 1).float() * 2 - 1

    def _in_batches(self, work: str, given: Tensor, watch: Watch) -> Tensor:
        results: list[Tensor] = []
        one = self._bytes(work, given.shape[-2], given.shape[-1])
        with self._using(work, watch, one) as run:
            room = memory.room_for_work(self.part.place.device, 0.5)
            size = max(1, room // one)
            parts = given.split(size)
            for part in parts:
                results.append(run(part).float().cpu())
                watch.tell(len(results), len(parts))
        return torch.cat(results)

    def _in_tiles(self, work: str, given: Tensor, tilings: Sequence[Tiling], watch: Watch) -> Tensor:
        counts = [tiling.count(given) for tiling in tilings]
        scale = self.ratio if work == "decode" else 1 / self.ratio
        results: list[Tensor] = []

        def tell(done: int, _: int) -> None:
            watch.tell(sum(counts[: len(results)]) + done, sum(counts))

        height, width = given.shape[-2:]
        largest = max(self._bytes(work, min(each.height, height), min(each.width, width)) for each in tilings)
        with self._using(work, watch, largest) as run:
            for tiling in tilings:
                results.append(tiled(given, run, tiling, scale, tell))
        return torch.stack(results).mean(dim=0)

    def _in_smaller_tiles(self, attempt: Callable[[int], Tensor]) -> Tensor:
        """Tiles of 64 latent cells, then of 32 and 16, until they fit."""
        for size in (64, 32, 16):
            memory.release_unused(self.part.place.device)
            try:
                return attempt(size)
            except (RuntimeError, MemoryError) as error:
                _unless_out_of_memory(error)
        raise OutOfMemory(
            f"{self.part.place.device} has no room even for tiles of {16 * self.ratio} pixels; "
            "close other programs, or start with --cpu-vae"
        )

    @contextmanager
    def _using(self, work: str, watch: Watch, working: int) -> Iterator[Callable[[Tensor], Tensor]]:
        place, check = self.part.place, watch.check or _go_on
        if place.device.type == "cpu":
            working = 0  # work on a CPU takes so much less than there is that nobody need leave for it
        using = self.keeper.using(self.part, working=working, check=check)
        with using as network, _checked(network, watch.check), torch.no_grad():
            function = getattr(network, work)

            def run(x: Tensor) -> Tensor:
                answer: Tensor = function(x.to(place.device, place.dtype))
                if not finite.is_finite(answer):
                    _blame(self.part, x, "pictures" if work == "encode" else "latents")
                return answer

            yield run

    def _bytes(self, work: str, height: int, width: int) -> int:
        """About how much memory one picture takes at work.

        The finest level rules: its widest layer has twice the first level's channels, and about four of its tensors are
        alive at once (SD's decoder at 512 px in float32 on a CPU, measured 2026-11: 1.0 GiB; the encoder 0.75 GiB).
        """
        pixels = height * width * (self.ratio**2 if work == "decode" else 1)
        channels = getattr(getattr(self.part.module, "config", None), "channels", 1)
        return max(1, pixels * channels * 2 * 4 * self.part.place.dtype.itemsize)


class PixelSpace(nn.Module):
    """No autoencoder at all: a latent is the picture, in -1 … 1."""

    downscale: Literal[1] = 1
    channels = 3

    def encode(self, pixels: Tensor) -> Tensor:
        """The picture."""
        return pixels

    def decode(self, latent: Tensor) -> Tensor:
        """The picture."""
        return latent


@contextmanager
def _checked(network: nn.Module, check: Check | None) -> Iterator[None]:
    """Calls `check` before every layer, so that a slow network can be stopped within one of them."""
    layers = [] if check is None else [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_pre_hook(lambda *_: check()) for layer in layers]  # type: ignore[misc]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _blame(part: Part[Any], given: Tensor, what: str) -> None:
    """Says why an autoencoder answered with no numbers. Raises: CheckpointError or SamplingError."""
    if not finite.is_finite(given):
        raise SamplingError(f"the {what} for {part.name} hold {finite.NO_NUMBERS}; look at what made them")
    flaw = finite.flaw(part)
    if flaw is not None:
        raise CheckpointError(flaw)
    reason = finite.suspicion(part.place.dtype, "--fp32-vae")
    raise SamplingError(f"{part.name} answered with {finite.NO_NUMBERS}: {reason}")


def _go_on() -> None:
    """Nobody can stop this."""


def _unless_out_of_memory(error: Exception) -> None:
    if not memory.is_out_of_memory(error):
        raise error


def _sides(tile: Tile) -> tuple[int, int]:
    return (tile, tile) if isinstance(tile, int) else tile


def _tilings(shapes: Sequence[tuple[int, int]], overlap: int) -> list[Tiling]:
    """Tiles of these heights and widths, their margin at most half of the narrowest."""
    overlap = min(overlap, min(side for shape in shapes for side in shape) // 2)
    return [Tiling(height, width, overlap) for height, width in shapes]


def _frames(latent: Tensor) -> Tensor:
    return latent if latent.ndim == 4 else latent.movedim(2, 1).flatten(0, 1)


def _to_pixels(pictures: Tensor) -> Tensor:
    return ((pictures + 1) / 2).clamp(0, 1).movedim(1, -1).contiguous()
