"""What is written of a model beside its weights: marks and metadata, for those who open the file.

Source: node_behaviour.md 9; the model metadata standard of Stability AI (sai_model_spec 1.0.0).
"""

from torch import Tensor

from engine.checkpoints import parameterization
from engine.checkpoints.family import Family
from engine.checkpoints.hints import Hints
from engine.models.unet_config import UNetConfig
from engine.values import Clip, Model

ARCHITECTURES = {
    "sdxl": "stable-diffusion-xl-v1-base",
    "sdxl_refiner": "stable-diffusion-xl-v1-refiner",
}
EDITING = "stable-diffusion-xl-v1-edit"

PREDICTIONS = {"eps": "epsilon", "v": "v"}


def marks(model: Model) -> dict[str, Tensor]:
    """The tensors that tell what the denoiser predicts, where its family does not."""
    return parameterization.marks(model.prediction, model.latent_format)


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


def hints(model: Model, family: Family, clip: Clip | None = None) -> Hints:
    """What our own loader must be told, where shapes and marks would make another network of the file."""
    usual = family.latent_format
    colours = None
    if usual is not None and model.latent_format.rgb_factors not in ((), usual.rgb_factors):
        colours = (*model.latent_format.rgb_factors, model.latent_format.rgb_bias)
    kind = model.prediction.kind
    is_told = kind in (family.prediction, "v") or bool(marks(model))
    heads, activation = _of_texts(family, clip)
    return Hints(_heads(_config(model)), heads, activation, None if is_told else kind, colours)


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
