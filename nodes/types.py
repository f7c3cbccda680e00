"""The wires and widgets of the built-in nodes: what flows between them, and the numbers many of them share.

An argument annotated `Image` is a tensor to mypy and an IMAGE socket to the editor. Shapes are ComfyUI's, because
plugins read inside them (node_behaviour 0.1).
"""

from collections.abc import Mapping
from typing import Annotated, Any

from torch import Tensor

from engine import values
from engine.adapters import hooks
from engine.adapters.ip_adapter import Adapter as IpAdapterFile
from engine.adapters.keyframes import Keyframes
from engine.adapters.picture_texts import Faces, Style
from engine.graph.define import Choices, Hidden, Widget, Wire
from engine.images import LATENT_METHODS, METHODS
from engine.sampling.sample import SAMPLERS
from engine.sampling.schedules import SCHEDULERS
from engine.steering.latent_operations import Operation
from nodes import ways

MAX_SIDE = 16384

Image = Annotated[Tensor, Wire("IMAGE")]
"""[B, H, W, C] float32 in 0..1."""
Mask = Annotated[Tensor, Wire("MASK")]
"""[B, H, W] float32; 1 is selected, redrawn, transparent."""
Latent = Annotated[dict[str, Any], Wire("LATENT")]
"""`samples` [B, C, h, w] without the model's scale; perhaps `noise_mask` [M, 1, H, W] and `batch_index`."""
Conditioning = Annotated[list[list[Any]], Wire("CONDITIONING")]
"""A list of [tokens [1, T, D], options]."""
Model = Annotated[values.Model, Wire("MODEL")]
Clip = Annotated[values.Clip, Wire("CLIP")]
"""None, when the checkpoint had no text encoder; `convert.need_clip` says so to the user."""
Vae = Annotated[values.Vae, Wire("VAE")]
ControlNet = Annotated[values.Control, Wire("CONTROL_NET")]
Gligen = Annotated[values.Gligen, Wire("GLIGEN")]
ClipVision = Annotated[values.ClipVision, Wire("CLIP_VISION")]
"""None, when the checkpoint had no eyes."""
ClipVisionOutput = Annotated[Any, Wire("CLIP_VISION_OUTPUT")]
"""What CLIP saw in pictures: `image_embeds` [B, P] and more (engine.models.vision.Seen, or a plugin's own object)."""

StyleModel = Annotated[Style, Wire("STYLE_MODEL")]
PhotoMaker = Annotated[Faces, Wire("PHOTOMAKER")]
IpAdapter = Annotated[IpAdapterFile, Wire("IPADAPTER")]
PictureEmbeds = Annotated[Tensor, Wire("EMBEDS")]
"""What an IP-Adapter reads of pictures: [B, P], or [B, T, D] for all kinds but the standard one."""

Sigmas = Annotated[Tensor, Wire("SIGMAS")]
"""[S + 1] noise levels of a run, usually falling and ending in 0; empty where there is nothing to do."""
Sampler = Annotated[ways.Sampler, Wire("SAMPLER")]
Noise = Annotated[ways.NoiseSource, Wire("NOISE")]
Guider = Annotated[ways.Guider, Wire("GUIDER")]

LatentOperation = Annotated[Operation, Wire("LATENT_OPERATION")]
"""What is done to a latent as to a picture: a function of its samples."""

HookGroup = Annotated[hooks.HookGroup, Wire("HOOKS")]
HookKeyframes = Annotated[Keyframes, Wire("HOOK_KEYFRAMES")]
TimestepsRange = Annotated[tuple[float, float], Wire("TIMESTEPS_RANGE")]
"""Where in a run something begins and ends, as shares of it."""

PromptJson = Annotated[Mapping[str, Any] | None, Hidden("PROMPT")]
"""The graph being run, as API JSON; it goes into saved pictures."""
ExtraJson = Annotated[Mapping[str, Any] | None, Hidden("EXTRA_PNGINFO")]
"""What came along with it: {"workflow": the editor's JSON}."""

Seed = Annotated[
    int,
    Widget(
        min=0, max=2**64 - 1, control_after_generate=True, tooltip="Decides the noise; the same seed, the same picture."
    ),
]
Steps = Annotated[int, Widget(min=1, max=10000, tooltip="How often the picture is refined.")]
Cfg = Annotated[
    float,
    Widget(
        min=0.0, max=100.0, step=0.1, round=0.01, tooltip="How strongly the text is followed; 1 ignores the negative."
    ),
]
SamplerName = Annotated[str, Choices(SAMPLERS, tooltip="How the noise is taken away from step to step.")]
Scheduler = Annotated[str, Choices(SCHEDULERS, tooltip="How much noise is left after each step.")]

Side = Annotated[int, Widget(min=0, max=MAX_SIDE, step=1, tooltip="In pixels; 0 keeps the proportions.")]
LatentSide = Annotated[int, Widget(min=0, max=MAX_SIDE, step=8, tooltip="In pixels; 0 keeps the proportions.")]
BatchSize = Annotated[int, Widget(min=1, max=4096, tooltip="How many at once.")]
Scale = Annotated[float, Widget(min=0.01, max=8.0, step=0.01, tooltip="The factor for both sides.")]
Crop = Annotated[str, Choices(("disabled", "center"), tooltip="Stretch, or cut to the new proportions first.")]
ResizeMethod = Annotated[str, Choices(METHODS)]
LatentResizeMethod = Annotated[str, Choices(LATENT_METHODS)]

Strength = Annotated[float, Widget(min=0.0, max=10.0, step=0.01, tooltip="1 is the normal weight.")]
LoraStrength = Annotated[
    float, Widget(min=-100.0, max=100.0, step=0.01, tooltip="1 is the normal weight; may be negative.")
]
Denoise = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="1 draws from nothing; less keeps more.")]
Percent = Annotated[float, Widget(min=0.0, max=1.0, step=0.001, tooltip="0 is the first step, 1 the last.")]
