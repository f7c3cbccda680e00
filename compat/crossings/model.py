"""MODEL at the border: engine.values.Model is handed to plugins as a ModelPatcher, and comes back as one of ours.

A patcher that leaves becomes a Model whose `guest` it is; when that Model enters again, so does the patcher (or, when
our nodes have changed the model meanwhile, a clone with those changes). All models of one part share one BaseModel.
"""

import weakref
from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_detection
import comfy.model_management
import comfy.model_sampling
from comfy.model_base import BaseModel, ModelType
from comfy.model_patcher import ModelPatcher
from comfy.weight_adapter import EngineAdapter, adapter_of

from compat import dress
from compat.crossing import enter, leave
from compat.crossings.gligen import network_of
from compat.foreign import ForeignPart, latent_format_of, prediction_of, sampling_object
from compat.residence import Residence, residence_of
from compat.sampling.engine_hooks import wear
from engine.devices.patches import Patch, Patches
from engine.models.latent_format import LatentFormat
from engine.sampling.continuous import AngleTable, ContinuousTable
from engine.sampling.prediction import Prediction
from engine.values import Model

NETWORK = "diffusion_model."

_models: "weakref.WeakValueDictionary[int, BaseModel]" = weakref.WeakValueDictionary()
"""By the part's identity; a BaseModel keeps its part alive, so the number cannot become another's."""

_entered: "weakref.WeakKeyDictionary[Model, ModelPatcher]" = weakref.WeakKeyDictionary()
"""What each value entered as."""


class Left:
    """How a patcher was when it last crossed the border: what our nodes' changes are told from."""

    def __init__(self, model: Model) -> None:
        self.value = weakref.ref(model)
        self.patches = model.patches
        self.prediction = model.prediction
        self.latent_format = model.latent_format
        self.hooks = model.hooks


@enter.register
def _(value: Model) -> ModelPatcher:
    if value not in _entered:
        _entered[value] = _made(value)
    return _entered[value]


@leave.register
def _(value: ModelPatcher) -> Any:
    if not isinstance(value.model, BaseModel):
        return network_of(value) or value
    known = getattr(value, "left", None)
    original = None if known is None else known.value()
    if original is not None and _is_untouched(value, original):
        return original
    made = _left(value)
    value.left = Left(made)  # type: ignore[attr-defined]
    _entered[made] = value
    return made


def is_plain(patcher: ModelPatcher) -> bool:
    """Whether a patcher changes nothing but weights and the sampling object, which the engine can do by itself."""
    options = {name: value for name, value in patcher.model_options.items() if name != "transformer_options"}
    kept = (
        options,
        patcher.model_options.get("transformer_options"),
        set(patcher.object_patches) - {"model_sampling", "latent_format"},
        patcher.wrappers,
        patcher.callbacks,
        patcher.injections,
        patcher.attachments,
        patcher.additional_models,
        patcher.hook_patches,
        patcher.forced_hooks,
    )
    return not any(kept) and patcher.residence is not None and type(patcher) is ModelPatcher


def _made(value: Model) -> ModelPatcher:
    guest = value.guest
    if isinstance(guest, ModelPatcher):
        return _again(value, guest)
    model: Any = _base_model(value)
    residence = residence_of(model)
    assert residence is not None
    patcher = ModelPatcher(model, residence.device, comfy.model_management.unet_offload_device(), size=residence.size)
    # As clones do: whoever loads the model next must find what another put into it, and take it out.
    patcher.object_patches_backup, patcher.former = model.replaced_objects
    _add(patcher, value.patches)
    _say(patcher, model.prediction, value.prediction, model.known_format, value.latent_format)
    wear(patcher, value.hooks)
    patcher.left = Left(value)  # type: ignore[attr-defined]
    return patcher


def _again(value: Model, guest: ModelPatcher) -> ModelPatcher:
    """The guest itself, or a clone with what our nodes did to the model since it left."""
    before: Left | None = getattr(guest, "left", None)
    if before is None:
        return guest
    same = before.prediction is value.prediction and before.latent_format is value.latent_format
    if before.patches is value.patches and same and before.hooks == value.hooks:
        return guest
    patcher: ModelPatcher = guest.clone()
    _add(patcher, _further(before.patches, value.patches))
    _say(patcher, before.prediction, value.prediction, before.latent_format, value.latent_format)
    if before.hooks != value.hooks:
        wear(patcher, value.hooks)
    patcher.left = Left(value)  # type: ignore[attr-defined]
    return patcher


def _further(before: Patches, now: Patches) -> Patches:
    """The patches that came after those that were there."""
    return {name: each[len(before.get(name, ())) :] for name, each in now.items() if each != before.get(name, ())}


def _add(patcher: ModelPatcher, patches: Patches) -> None:
    prefix = patcher.residence.prefix if patcher.residence is not None else NETWORK
    for name, each in patches.items():
        entries = [(patch.strength, _adapter(patch), 1.0, None, None) for patch in each]
        patcher.patches[prefix + name] = [*patcher.patches.get(prefix + name, []), *entries]


def _adapter(patch: Patch) -> EngineAdapter:
    return adapter_of(patch.delta, patch=patch)


def _say(
    patcher: ModelPatcher, known: Prediction, wanted: Prediction, usual: LatentFormat, latents: LatentFormat
) -> None:
    if wanted is not known:
        patcher.add_object_patch("model_sampling", sampling_object(wanted, patcher.model.model_config))
    if latents is not usual:
        patcher.add_object_patch("latent_format", comfy.latent_formats.from_engine(latents))


def _base_model(value: Model) -> BaseModel:
    known = _models.get(id(value.part))
    if known is None:
        known = _models[id(value.part)] = _new_base_model(value)
    return known


_TYPES = {
    "eps": ModelType.EPS,
    "v": ModelType.V_PREDICTION,
    "edm": ModelType.EDM,
    "flow": ModelType.FLOW,
    "img_to_img": ModelType.IMG_TO_IMG,
    "x0": ModelType.EPS,
    "lcm": ModelType.EPS,
    "cosmos_rflow": ModelType.FLOW_COSMOS,
}


def _type_of(prediction: Prediction) -> ModelType:
    if prediction.kind == "v" and isinstance(prediction.table, ContinuousTable):
        is_angle = isinstance(prediction.table, AngleTable)
        return ModelType.V_PREDICTION_CONTINUOUS if is_angle else ModelType.V_PREDICTION_EDM
    return _TYPES[prediction.kind]


def _new_base_model(value: Model) -> BaseModel:
    part = value.part
    network: Any = dress.dress(part.module)
    residence = Residence(part, value.keeper, NETWORK)
    network.dtype = residence.dtype
    config = comfy.model_detection.config_of_network(dress.unet_config(network.config), value.family)
    config.set_inference_dtype(residence.dtype, None)
    model: Any = config.get_model({}, "", residence.device, unet_model=lambda **_: network)
    model.residence = residence
    model.replaced_objects = ({}, {})
    model.model_type = _type_of(value.prediction)
    if isinstance(model, comfy.model_base.SDXL_instructpix2pix) and network.config.scaled_picture:
        model.process_ip2p_image_in = model.process_latent_in
    model.prediction, model.known_format = value.prediction, value.latent_format
    model.model_sampling = sampling_object(value.prediction, config)
    model.latent_format = comfy.latent_formats.from_engine(value.latent_format)
    return model


def _is_untouched(patcher: ModelPatcher, original: Model) -> bool:
    return is_plain(patcher) and not patcher.object_patches and patcher.engine_patches() == dict(original.patches)


def _left(patcher: ModelPatcher) -> Model:
    model = patcher.model
    residence = patcher.residence
    if residence is None:
        part: Any = ForeignPart(patcher)
        keeper = part.keeper
    else:
        part, keeper = residence.part, residence.keeper
    return Model(
        part,
        keeper,
        prediction_of(patcher.get_model_object("model_sampling"), getattr(model, "prediction", None)),
        latent_format_of(patcher.get_model_object("latent_format"), getattr(model, "known_format", None)),
        comfy.model_detection.family_of(model.model_config),
        patches=patcher.engine_patches(),
        guest=patcher,
    )
