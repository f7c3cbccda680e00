"""What is written of a model beside its weights: marks and metadata, for those who open the file.

Source: node_behaviour.md 9; the model metadata standard of Stability AI (sai_model_spec 1.0.0).
"""

from dataclasses import dataclass, replace

from torch import Tensor

from engine.checkpoints import parameterization
from engine.checkpoints.detect import Match
from engine.checkpoints.family import Family
from engine.checkpoints.hints import Hints
from engine.checkpoints.noise_levels import NoiseLevels
from engine.checkpoints.save import NETWORK, Stored, as_file
from engine.checkpoints.tensors import TensorFile
from engine.models.latent_format import PLAYGROUND, LatentFormat
from engine.models.unet_config import UNetConfig
from engine.sampling.prediction import Prediction
from engine.values import Clip, Model

ARCHITECTURES = {
    "sdxl": "stable-diffusion-xl-v1-base",
    "sdxl_refiner": "stable-diffusion-xl-v1-refiner",
}
EDITING = "stable-diffusion-xl-v1-edit"

PREDICTIONS = {"eps": "epsilon", "lcm": "epsilon", "v": "v"}


@dataclass(frozen=True, eq=False)
class Description:
    """What goes into a file besides its networks, and what of the model other programs will not find in it.

    `marks` are tensors that other programs look for; `hints` what our own loader must be told, where shapes and marks
    would make another network of the file. `lost` are sentences for the user.
    """

    marks: dict[str, Tensor]
    hints: Hints
    lost: tuple[str, ...]


def described(model: Model, family: Family, tensors: Stored, clip: Clip | None = None) -> Description:
    """What to write of a model beside these tensors, its networks in the layout of the family."""
    marks = parameterization.marks(model.prediction, model.latent_format)
    file, match = as_file("saved", {**tensors, **marks}), Match(family, NETWORK)
    heads, activation = _of_texts(family, clip)
    hints = Hints(_heads(_config(model)), heads, activation, latent_colours=_colours(model, family))
    hints = _with_levels(hints, model.prediction, parameterization.marked(file, match))
    usual = family.latent_format or model.latent_format
    if _is_same(model.latent_format, PLAYGROUND) and not parameterization.is_playground(file, match):
        hints = replace(hints, latents="playground")
    hints = _with_scaled_picture(hints, model, file, match)
    return Description(marks, hints, _lost(model, usual, parameterization.marked_for_others(file, match), hints))


def metadata(model: Model, title: str) -> dict[str, str]:
    """What other programs read first."""
    said = {}
    if model.family in ARCHITECTURES:
        is_editing = model.family == "sdxl" and getattr(_config(model), "in_channels", 4) == 8
        said = {
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.implementation": "sgm",
            "modelspec.title": title,
            "modelspec.architecture": EDITING if is_editing else ARCHITECTURES[model.family],
        }
    if model.prediction.kind in PREDICTIONS:
        said["modelspec.predict_key"] = PREDICTIONS[model.prediction.kind]
    return said


def _with_levels(hints: Hints, wanted: Prediction, found: Prediction) -> Hints:
    """The hints with what is predicted, where marks alone would be read as something else."""
    levels = NoiseLevels.of(wanted)
    if wanted.kind == found.kind and levels == NoiseLevels.of(found):
        return hints
    if levels is None:
        return hints if wanted.kind == found.kind else replace(hints, prediction=wanted.kind)
    return replace(hints, prediction=wanted.kind, noise_levels=levels)


def _with_scaled_picture(hints: Hints, model: Model, file: TensorFile, match: Match) -> Hints:
    config = _config(model)
    if config is None or config.scaled_picture == parameterization.shows_scaled(file, match, hints):
        return hints
    is_editing = config.in_channels == 2 * model.latent_format.channels
    return replace(hints, scaled_picture=config.scaled_picture) if is_editing else hints


def _lost(model: Model, usual: LatentFormat, others: Prediction, hints: Hints) -> tuple[str, ...]:
    """What cannot be read from the file: by anybody, or by other programs."""
    said = []
    wanted, kind = NoiseLevels.of(model.prediction), model.prediction.kind
    if wanted is None:
        said.append(
            "the noise levels that a plugin set cannot be told in a file and are not in it; set them again after "
            "loading"
        )
    elif others.kind != kind or not wanted.is_nearly(NoiseLevels.of(others) or NoiseLevels()):
        said.append(
            f"other programs will read it as {others.kind} and draw another picture, for they know no mark of its "
            f"noise levels; have them set by {wanted.node(kind)} there. This program reads them from the file"
        )
    if not (_is_same(model.latent_format, usual) or _is_same(model.latent_format, PLAYGROUND)):
        said.append("the scale of its latents, which a plugin set, is not in it; set it again after loading")
    elif hints.latents is not None:
        said.append(
            "other programs will not scale its latents as Playground 2.5 has them; have that set by "
            "ModelSamplingContinuousEDM with edm_playground_v2.5 there. This program reads it from the file"
        )
    return tuple(said)


def _is_same(latents: LatentFormat, others: LatentFormat) -> bool:
    """Whether two formats scale alike; their colours are another matter."""
    return (
        type(latents) is type(others)
        and replace(latents, rgb_factors=others.rgb_factors, rgb_bias=others.rgb_bias) == others
    )


def _colours(model: Model, family: Family) -> tuple[tuple[float, ...], ...] | None:
    usual = family.latent_format
    if usual is None or model.latent_format.rgb_factors in ((), usual.rgb_factors):
        return None
    return (*model.latent_format.rgb_factors, model.latent_format.rgb_bias)


def _heads(config: UNetConfig | None) -> int | None:
    if config is None or config.head_width is not None:
        return None
    return None if config.heads == UNetConfig.heads and not config.linear_projections else config.heads


def _of_texts(family: Family, clip: Clip | None) -> tuple[int | None, str | None]:
    """How many heads the text encoder has, and which activation, where it is alone and they are not the usual ones."""
    if clip is None or len(getattr(clip, "encoders", ())) != 1:
        return None, None
    encoder = clip.encoders[0]
    config = encoder.part.module.text_config
    usual = next((spec.activation for spec in family.texts if spec.id == encoder.id), config.activation)
    return (
        None if config.heads == max(1, config.width // 64) else config.heads,
        None if config.activation == usual else config.activation,
    )


def _config(model: Model) -> UNetConfig | None:
    return getattr(model.part.module, "config", None)
