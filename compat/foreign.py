"""What a plugin's own objects are to the engine: sampling objects, latent formats, networks with weights of their own.

Each keeps what the plugin made and answers the engine's questions with it.
"""

from dataclasses import dataclass
from typing import Any

import comfy.model_sampling as ms
import torch
from torch import Tensor

from compat.host import host
from engine.devices.device import Place
from engine.devices.patches import NONE, Patches
from engine.devices.residency import Part
from engine.models.latent_format import LatentFormat
from engine.sampling.betas import BetaSchedule
from engine.sampling.continuous import AngleTable, ContinuousTable, DistilledTable, ShareTable
from engine.sampling.cosine import CosineTable
from engine.sampling.prediction import Kind, Prediction
from engine.sampling.table import SigmaTable

_SPEECH = {
    "eps": ms.EPS,
    "v": ms.V_PREDICTION,
    "edm": ms.EDM,
    "x0": ms.X0,
    "img_to_img": ms.IMG_TO_IMG,
    "flow": ms.CONST,
    "cosmos_rflow": ms.COSMOS_RFLOW,
}


def sampling_object(prediction: Prediction, model_config: Any) -> Any:
    """The engine's prediction as a sampling object; a plugin's own comes back as it was."""
    if isinstance(prediction, AuthorsPrediction):
        return prediction.sampling
    table = prediction.table
    made: Any = type("ModelSampling", (_schedule(table), _speech(prediction.kind)), {})(model_config)
    made.sigma_data = prediction.sigma_data
    if table.shift is not None:
        made.set_parameters(shift=table.shift, timesteps=len(table), multiplier=table.multiplier)
    elif isinstance(table, ContinuousTable):
        made.set_parameters(table.sigma_min, table.sigma_max, prediction.sigma_data)
    elif isinstance(table, CosineTable):
        made.set_parameters(shift=table.stretch)
    else:
        made.set_sigmas(table.sigmas)
        made.num_timesteps = len(table)
        if isinstance(table, DistilledTable):
            made.skip_steps, made.num_timesteps = table.stride, len(table) * table.stride
        made.zsnr = bool(table.schedule and table.schedule.zero_terminal_snr)
    if table.shift is None:
        # The table's logarithms were taken before it was rounded; pictures depend on the last bit.
        made.register_buffer("sigmas", table.sigmas.clone())
        made.register_buffer("log_sigmas", table.logs.clone())
    made.prediction = prediction
    return made


def _schedule(table: SigmaTable) -> Any:
    """ComfyUI's class for a table of ours."""
    if isinstance(table, DistilledTable):
        from comfy_extras.nodes_model_advanced import ModelSamplingDiscreteDistilled

        return ModelSamplingDiscreteDistilled
    kinds: tuple[tuple[type[SigmaTable], Any], ...] = (
        (ShareTable, ms.ModelSamplingCosmosRFlow),
        (AngleTable, ms.ModelSamplingContinuousV),
        (ContinuousTable, ms.ModelSamplingContinuousEDM),
        (CosineTable, ms.StableCascadeSampling),
    )
    usual = ms.ModelSamplingDiscreteFlow if table.flow else ms.ModelSamplingDiscrete
    return next((theirs for ours, theirs in kinds if isinstance(table, ours)), usual)


def _speech(kind: Kind) -> Any:
    """ComfyUI's class for a way of answering."""
    if kind == "lcm":
        from comfy_extras.nodes_model_advanced import LCM

        return LCM
    return _SPEECH[kind]


def prediction_of(sampling: Any, usual: Prediction | None) -> Prediction:
    """What the engine makes of a sampling object: its own prediction where it was made of one."""
    known = getattr(sampling, "prediction", None)
    if isinstance(known, Prediction) and _is_as_made(sampling, known):
        return known
    kind = _kind(sampling)
    return AuthorsPrediction(
        kind, AuthorsTable.of(sampling, kind), float(getattr(sampling, "sigma_data", 1.0)), sampling
    )


def _is_as_made(sampling: Any, known: Prediction) -> bool:
    if known.table.shift is not None:
        return bool(getattr(sampling, "shift", None) == known.table.shift)
    return torch.equal(sampling.sigmas.cpu(), known.table.sigmas)


def _kind(sampling: Any) -> Kind:
    if isinstance(sampling, ms.CONST) or (hasattr(sampling, "shift") and not isinstance(sampling, ms.EPS)):
        return "flow"
    kinds: tuple[tuple[type, Kind], ...] = (
        (ms.IMG_TO_IMG, "img_to_img"),
        (ms.X0, "x0"),
        (ms.EDM, "edm"),
        (ms.V_PREDICTION, "v"),
    )
    return next((kind for speech, kind in kinds if isinstance(sampling, speech)), "eps")


@dataclass(frozen=True, eq=False)
class AuthorsTable(SigmaTable):
    """The noise levels of a plugin's sampling object."""

    sampling: Any = None

    @classmethod
    def of(cls, sampling: Any, kind: Kind) -> "AuthorsTable":
        """The levels it shows, without repeats, and its own way from level to time and back."""
        sigmas = torch.unique(sampling.sigmas.detach().float().cpu())
        sigmas = sigmas[sigmas > 0]
        shift = float(getattr(sampling, "shift", 1.0)) if kind == "flow" else None
        multiplier = float(getattr(sampling, "multiplier", 1.0))
        return cls(sigmas, sigmas.log(), shift, multiplier, _betas(sampling), sampling)

    def timestep(self, sigma: Tensor) -> Tensor:
        asked = sigma.reshape(-1)
        found: Tensor = self.sampling.timestep(asked)
        return found.reshape(sigma.shape).float()

    def sigma(self, timestep: Tensor) -> Tensor:
        found: Tensor = self.sampling.sigma(timestep)
        return found

    def at_percent(self, percent: float) -> float:
        return float(self.sampling.percent_to_sigma(percent))


def _betas(sampling: Any) -> BetaSchedule | None:
    """What a discrete sampling object was made from, where it says so in the usual way."""
    start, end = (getattr(sampling, name, None) for name in ("linear_start", "linear_end"))
    steps = getattr(sampling, "num_timesteps", 0)
    if not isinstance(sampling, ms.ModelSamplingDiscrete) or start is None or end is None or steps < 2:
        return None
    return BetaSchedule("scaled_linear", start, end, steps, bool(getattr(sampling, "zsnr", False)))


@dataclass(frozen=True, eq=False)
class AuthorsPrediction(Prediction):
    """What a network's answer means, as a plugin's sampling object says."""

    sampling: Any = None

    def scaled_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        shown: Tensor = self.sampling.calculate_input(sigma.to(x.device), x)
        return shown

    def denoised(self, answer: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        clean: Tensor = self.sampling.calculate_denoised(sigma.to(x.device), answer, x)
        return clean

    def start(self, latent: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        at_most = float(sigma) >= self.table.sigma_max * (1 - 1e-5)
        begun: Tensor = self.sampling.noise_scaling(sigma.to(latent.device), noise, latent, max_denoise=at_most)
        return begun

    def noised(self, latent: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        mixed: Tensor = self.sampling.noise_scaling(sigma.to(latent.device), noise, latent)
        return mixed

    def end(self, x: Tensor, sigma: Tensor) -> Tensor:
        ended: Tensor = self.sampling.inverse_noise_scaling(sigma.to(x.device), x)
        return ended


class AuthorsFormat(LatentFormat):
    """The latents of a plugin's format object."""

    theirs: Any

    @classmethod
    def of(cls, theirs: Any) -> "AuthorsFormat":
        """What can be said of it in numbers, and the object itself for the rest."""
        rows = getattr(theirs, "latent_rgb_factors", None) or ()
        bias = getattr(theirs, "latent_rgb_factors_bias", None) or (0.0, 0.0, 0.0)
        made = cls(
            scale=float(theirs.scale_factor),
            channels=int(theirs.latent_channels),
            rgb_factors=tuple((float(r), float(g), float(b)) for r, g, b in rows),
            rgb_bias=(float(bias[0]), float(bias[1]), float(bias[2])),
        )
        object.__setattr__(made, "theirs", theirs)
        return made

    def to_model(self, latent: Tensor) -> Tensor:
        scaled: Tensor = self.theirs.process_in(latent)
        return scaled

    def to_latent(self, x: Tensor) -> Tensor:
        scaled: Tensor = self.theirs.process_out(x)
        return scaled


def latent_format_of(theirs: Any, usual: LatentFormat | None) -> LatentFormat:
    """The engine's format behind one of ComfyUI's."""
    known = getattr(theirs, "engine_format", None)
    if isinstance(known, LatentFormat):
        return known
    return AuthorsFormat.of(theirs)


class ForeignPart(Part[Any]):
    """A network that a plugin built: its patcher loads it, and it keeps its weights itself."""

    def __init__(self, patcher: Any) -> None:
        self.patcher = patcher
        network = patcher.model.diffusion_model
        dtype = patcher.model_dtype() or torch.float32
        device = torch.device(patcher.load_device) if patcher.load_device is not None else torch.device("cpu")
        super().__init__(f"{type(network).__name__} of a plugin", network, {}, Place(device, dtype))
        self.keeper = host().loader.keeper

    def arrive(self, check: Any = None, patches: Patches = NONE) -> None:
        """Loads it by its patcher."""
        from comfy import model_management

        model_management.load_models_gpu([self.patcher])
        self.is_here = True

    def wear(self, patches: Patches, check: Any = None) -> None:
        """Its patcher put its patches on when it loaded it."""
        self._patches = NONE
