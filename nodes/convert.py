"""The doorstep: what comes over wires in ComfyUI's plain shapes becomes typed values, and back.

Everything a graph can get wrong about a value is said here, in words; behind it engine/sampling sees no dict of
maybe-keys. Names in messages are those of the node's inputs.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from engine import values
from engine.adapters import hooks
from engine.conditioning import Area, BoxedPhrase, Condition, ControlHint, Grounding, SeenPicture, Sizes
from engine.devices import finite
from engine.errors import CheckpointError, ImageError, LatentwireError, OutOfMemory, SamplingError
from engine.images import as_masks

HUGE_BATCH_INDEX = 2**16  # Noise is drawn for every place up to the largest; a graph with more is a mistake.


@contextmanager
def naming(name: str, kind: type[LatentwireError] = LatentwireError) -> Iterator[None]:
    """Readable errors from within are about this input of the node; a full memory is not the input's fault."""
    try:
        yield
    except OutOfMemory:
        raise
    except kind as error:
        error.input = error.input or name
        raise


def need_image(image: object, name: str) -> Tensor:
    """The pictures on a wire, [B, H, W, C] with nothing of size zero. Raises: ImageError."""
    if not isinstance(image, Tensor) or image.ndim != 4:
        raise ImageError(f"{name}: expected pictures [batch, height, width, channels], got {_what(image)}.")
    if 0 in image.shape:
        raise ImageError(f"{name}: expected at least one picture of at least 1×1 pixels, got {_what(image)}.")
    if not image.is_floating_point():
        raise ImageError(f"{name}: expected pictures of numbers from 0.0 to 1.0, got {_kind(image)}.")
    return image


def sound(given: Tensor, name: str) -> Tensor:
    """What came over a wire, when it holds numbers only. Raises: ImageError."""
    if not finite.is_finite(given):
        raise ImageError(f"{name}: it holds {finite.NO_NUMBERS}; look at what made it.")
    return given


def need_mask(mask: object, name: str) -> Tensor:
    """The masks on a wire as [B, 1, H, W] with nothing of size zero; True is 1. Raises: ImageError."""
    if not isinstance(mask, Tensor) or mask.ndim < 2 or 0 in mask.shape:
        raise ImageError(f"{name}: expected a mask [batch, height, width] of at least 1×1 pixels, got {_what(mask)}.")
    if mask.is_complex():
        raise ImageError(f"{name}: expected a mask of numbers from 0.0 to 1.0, got {_kind(mask)}.")
    return as_masks(mask if mask.is_floating_point() else mask.float())


def samples_of(latent: object, name: str) -> Tensor:
    """The numbers of a latent, [B, C, h, w] with nothing of size zero. Raises: SamplingError."""
    samples = latent.get("samples") if isinstance(latent, Mapping) else None
    if not isinstance(samples, Tensor) or samples.ndim not in (4, 5):
        raise SamplingError(f"{name}: expected a latent [batch, channels, height, width], got {_what(samples)}.")
    if 0 in samples.shape:
        raise SamplingError(f"{name}: the latent is empty ({_what(samples)}); make it at least 8×8 pixels large.")
    if not samples.is_floating_point():
        raise SamplingError(f"{name}: expected a latent of numbers with fractions, got {_kind(samples)}.")
    return samples


def with_samples(latent: Mapping[str, Any], samples: Tensor) -> dict[str, Any]:
    """A copy of a latent with other numbers; noise_mask, batch_index and what plugins added stay."""
    return {**latent, "samples": samples}


def drawable(latent: object, channels: int, name: str) -> Tensor:
    """The numbers of a latent that a model of so many channels can go on from, [B, C, h, w].

    Raises: SamplingError, ImageError.
    """
    samples = samples_of(latent, name)
    if samples.ndim != 4:
        raise SamplingError(f"{name}: this model draws pictures, not videos; got {_what(samples)}.")
    return sound(fitted_channels(samples, channels, name), name)


def fitted_channels(samples: Tensor, channels: int, name: str) -> Tensor:
    """A latent with the channels of the model: an all-zero one fits any, repeated or cut. Raises: SamplingError."""
    have = samples.shape[1]
    if have == channels:
        return samples
    if samples.count_nonzero() > 0:
        raise SamplingError(
            f"{name}: the latent has {have} channels, this model works on {channels}; "
            "it was made by the VAE of another model family."
        )
    repeated = samples.repeat_interleave(-(-channels // have), dim=1) if have else samples
    return repeated[:, :channels]


def noise_mask_of(latent: Mapping[str, Any], name: str) -> Tensor | None:
    """Which part of a latent is to be drawn anew, [M, 1, H, W] at any resolution; None for all of it.

    Raises: ImageError.
    """
    mask, called = latent.get("noise_mask"), f"{name}: noise_mask"
    return None if mask is None else sound(need_mask(mask, called), called)


def batch_index_of(latent: Mapping[str, Any], name: str) -> list[int] | None:
    """Which place of its original batch each latent had. Raises: SamplingError."""
    given, count = latent.get("batch_index"), len(latent["samples"])
    if given is None:
        return None
    try:
        index = [operator.index(each) for each in given]
    except TypeError:
        index = []
    if len(index) != count or not all(0 <= each < HUGE_BATCH_INDEX for each in index):
        raise SamplingError(
            f"{name}: batch_index should be {count} numbers from 0 to {HUGE_BATCH_INDEX - 1}, one per latent, "
            f"got {given!r:.80}."
        )
    return index


def sigmas_of(sigmas: object, name: str) -> Tensor:
    """The noise levels on a wire, [S + 1], perhaps none. Raises: SamplingError."""
    if not isinstance(sigmas, Tensor) or sigmas.ndim != 1:
        raise SamplingError(f"{name}: expected a list of noise levels [steps + 1], got {_what(sigmas)}.")
    levels = sigmas.float()
    wrong = (~torch.isfinite(levels) | (levels < 0)).nonzero()
    if len(wrong):
        place = int(wrong[0])
        raise SamplingError(
            f"{name}: expected noise levels that are numbers, 0 or more, got {float(levels[place])} in place "
            f"{place + 1} of {len(levels)}."
        )
    return levels


def need_clip_vision(clip_vision: values.ClipVision | None) -> values.ClipVision:
    """The eyes on a wire. Raises: CheckpointError, when the checkpoint had none."""
    if clip_vision is None:
        raise CheckpointError(
            "there is no CLIP vision model: the checkpoint has none. Load one with CLIPVisionLoader and connect that."
        )
    return clip_vision


def need_clip(clip: values.Clip | None) -> values.Clip:
    """The text encoder on a wire. Raises: CheckpointError, when the checkpoint had none."""
    if clip is None:
        raise CheckpointError(
            "clip: the checkpoint has no text encoder inside; take CLIP from a full checkpoint of the same family."
        )
    return clip


def need_vae(vae: values.Vae | None) -> values.Vae:
    """The autoencoder on a wire. Raises: CheckpointError, when the checkpoint had none."""
    if vae is None:
        raise CheckpointError("vae: the checkpoint has no VAE inside; load one with VAELoader.")
    return vae


def need_colours(image: object, name: str) -> Tensor:
    """The pictures on a wire without their alpha, [B, H, W, 3]. Raises: ImageError."""
    pictures = need_image(image, name)
    if pictures.shape[3] < 3:
        raise ImageError(f"{name}: expected colour pictures, got {_what(image)}.")
    return pictures[..., :3]


def encodable(image: object, vae: values.Vae, name: str) -> Tensor:
    """The pictures on a wire, without alpha and at least one cell of this autoencoder large. Raises: ImageError."""
    pictures = need_colours(image, name)
    if min(pictures.shape[1:3]) < vae.ratio:
        least = f"{vae.ratio}×{vae.ratio}"
        raise ImageError(f"{name}: expected pictures of at least {least} pixels, got {_what(image)}.")
    return sound(pictures, name)


def decodable(latent: object, vae: values.Vae, name: str) -> Tensor:
    """The numbers of a latent that this autoencoder can read. Raises: SamplingError, ImageError."""
    samples = samples_of(latent, name)
    wanted = vae.latent_channels
    if samples.shape[1] != wanted:
        raise SamplingError(
            f"{name}: the latent has {samples.shape[1]} channels, this VAE reads {wanted}; "
            "take the VAE of the model that drew it."
        )
    return sound(samples, name)


def encoded(tokens: Tensor, pooled: Tensor | None) -> list[list[Any]]:
    """What a text encoder made, as CONDITIONING."""
    return [[tokens, {"pooled_output": pooled}]]


def text_conditioning(clip: values.Clip, text: str, check: Callable[[], None]) -> list[list[Any]]:
    """A text as CONDITIONING.

    A text encoder that a plugin changed may have more to say than vectors and a summary; then it has `conditioning`.
    Raises: TextError, OutOfMemory, CheckpointError.
    """
    own = getattr(clip, "conditioning", None)
    if own is not None:
        return own(text)
    with naming("clip", CheckpointError):
        return _of_each(clip, lambda encoder: encoder.encode(text, check))


def _of_each(clip: values.Clip, encode: Callable[[values.Clip], tuple[Tensor, Tensor | None]]) -> list[list[Any]]:
    """What an encoder makes with the hooks it has: an entry for each part of their schedule."""
    return [
        entry for encoder, options in hooks.worn(clip) for entry in with_options(encoded(*encode(encoder)), **options)
    ]


def texts_conditioning(clip: values.Clip, texts: Mapping[str, str], check: Callable[[], None]) -> list[list[Any]]:
    """A text for each of the encoders, by id, as CONDITIONING. Raises: TextError, OutOfMemory, CheckpointError."""
    own = getattr(clip, "conditioning_of", None)
    if own is not None:
        return own(texts)
    with naming("clip", CheckpointError):
        return _of_each(clip, lambda encoder: encoder.encode_texts(texts, check))


def with_options(conditioning: Sequence[Sequence[Any]], **options: Any) -> list[list[Any]]:
    """A copy of a conditioning with options set in every entry."""
    return [[tokens, {**known, **options}] for tokens, known in conditioning]


def with_control(conditioning: Sequence[Sequence[Any]], hint: ControlHint, *, on_negative: bool) -> list[list[Any]]:
    """A copy of a conditioning with one more hint in every entry, after those that are there."""
    return [
        [tokens, {**known, "control": (*known.get("control", ()), hint), "control_apply_to_uncond": on_negative}]
        for tokens, known in conditioning
    ]


def conditions(conditioning: object, name: str) -> tuple[Condition, ...]:
    """What guides a picture, read out of CONDITIONING. Raises: SamplingError naming the input."""
    if not isinstance(conditioning, Sequence) or isinstance(conditioning, str):
        raise SamplingError(f"{name}: expected a conditioning, a list of [tokens, options], got {_what(conditioning)}.")
    return tuple(_condition(entry, name) for entry in conditioning)


def _condition(entry: object, name: str) -> Condition:
    match entry:
        case [Tensor() as tokens, Mapping() as options] if tokens.ndim == 3:
            pass
        case _:
            raise SamplingError(
                f"{name}: expected [tokens, options] with tokens [1, tokens, features], got {entry!r:.200}."
            )
    told = options.get("cross_attn_controlnet")
    return Condition(
        tokens=tokens,
        pooled=options.get("pooled_output"),
        strength=float(options.get("strength", 1.0)),
        area=_area(options.get("area"), name),
        mask=_mask(options.get("mask"), name),
        mask_strength=float(options.get("mask_strength", 1.0)),
        area_from_mask=bool(options.get("set_area_to_bounds", False)),
        start_percent=max(float(options.get("start_percent", 0.0)), float(options.get("clip_start_percent", 0.0))),
        end_percent=min(float(options.get("end_percent", 1.0)), float(options.get("clip_end_percent", 1.0))),
        hooks=_hooks(options.get("hooks"), name),
        is_default=bool(options.get("default", False)),
        control=_control(options.get("control"), (tokens if told is None else told).shape[2], name),
        control_on_negative=bool(options.get("control_apply_to_uncond", False)),
        concat_latent=options.get("concat_latent_image"),
        concat_mask=options.get("concat_mask"),
        sizes=_sizes(options),
        pictures=tuple(_picture(each, name) for each in options.get("unclip_conditioning") or ()),
        picture_merge=float(options.get("unclip_noise_augment_merge", 0.05)),
        control_tokens=told,
        grounding=_grounding(options.get("gligen"), name),
        prompt_type=options.get("prompt_type"),
        concat_image=options.get("concat_image"),
        image_noise=float(options.get("noise_augmentation", 0.0)),
    )


def _hooks(group: object, name: str) -> hooks.HookGroup | None:
    if group is None or (isinstance(group, hooks.HookGroup) and not group.hooks):
        return None
    if not isinstance(group, hooks.HookGroup) or not all(isinstance(each, hooks.Hook) for each in group.hooks):
        raise SamplingError(f"{name}: expected hooks made by a CreateHook node, got {_what(group)}.")
    return group


def _sizes(options: Mapping[str, Any]) -> Sizes:
    return Sizes(
        width=options.get("width"),
        height=options.get("height"),
        crop_x=options.get("crop_w", 0),
        crop_y=options.get("crop_h", 0),
        target_width=options.get("target_width"),
        target_height=options.get("target_height"),
        aesthetic_score=options.get("aesthetic_score"),
    )


def need_seen(seen: object, name: str) -> Tensor:
    """The summaries [B, P] in what a CLIP vision saw, ours or a plugin's. Raises: SamplingError."""
    embeddings = getattr(seen, "image_embeds", None)
    if not isinstance(embeddings, Tensor) or embeddings.ndim != 2:
        raise SamplingError(f"{name}: expected what CLIPVisionEncode saw in a picture, got {_what(seen)}.")
    return embeddings


def _picture(given: Any, name: str) -> SeenPicture:
    seen = need_seen(given["clip_vision_output"], name)
    return SeenPicture(seen, float(given["strength"]), float(given["noise_augmentation"]))


def _area(area: Any, name: str) -> Area | None:
    if area is None:
        return None
    sides = area[1:] if area and area[0] == "percentage" else area
    if len(sides) != 4 or not all(isinstance(each, int | float) for each in sides):
        raise SamplingError(f"{name}: expected an area (height, width, y, x) in latent cells, got {area!r:.200}.")
    height, width, y, x = sides
    return Area(height, width, y, x, is_share=sides is not area)


def _control(control: object, features: int, name: str) -> tuple[ControlHint, ...]:
    if control is None:
        return ()
    if not isinstance(control, tuple) or not all(isinstance(each, ControlHint) for each in control):
        raise SamplingError(f"{name}: expected hints made by a ControlNetApply node, got {_what(control)}.")
    for hint in control:
        reads = getattr(hint.net, "text_width", None)
        if reads not in (None, features):
            raise SamplingError(
                f"{name}: the ControlNet reads texts of {reads} features, this one has {features}; "
                "it was made for another model family."
            )
    return control


def _grounding(gligen: Any, name: str) -> Grounding | None:
    if not gligen:
        return None
    kind, net, boxes = gligen[:3]
    if kind != "position" or not hasattr(net, "shown"):
        raise SamplingError(f"{name}: expected boxes made by GLIGENTextBoxApply, got {_what(net)}.")
    return Grounding(net, tuple(BoxedPhrase(*each) for each in boxes))


def _mask(mask: object, name: str) -> Tensor | None:
    return None if mask is None else need_mask(mask, f"{name}: mask")[:, 0]


def _kind(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _what(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    return "nothing" if value is None else f"{type(value).__name__}"
