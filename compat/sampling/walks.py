"""Our samplers as k-diffusion's functions: `sample_x(model, x, sigmas, extra_args, callback, disable, **options)`.

Ours are generators over a denoiser; theirs call a model with a batch of sigmas and tell a callback of every step. Any
callable is a model here; one that is ComfyUI's (with a guider and a BaseModel inside) also says whether it is a flow.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engine.sampling.denoiser import VARIANCE_EXPLODING, Denoiser, Path, Step, Walk, run

Model = Callable[..., Tensor]
Callback = Callable[[dict[str, Any]], Any]
NoiseSampler = Callable[[Tensor, Tensor], Tensor]


@dataclass
class Outing:
    """One call of a sampler function: its model, what the model is to be given, and who wants to hear of steps.

    Shapes: x [B, …]; sigmas [S + 1].
    """

    model: Model
    x: Tensor
    sigmas: Tensor
    extra_args: Mapping[str, Any] | None = None
    callback: Callback | None = None

    @property
    def seed(self) -> int | None:
        """The seed that came with the call."""
        found: int | None = (self.extra_args or {}).get("seed")
        return found

    @property
    def path(self) -> Path:
        """How this model mixes picture and noise."""
        return path_of(self.model)

    @property
    def levels(self) -> Tensor:
        """The noise levels on the CPU, where samplers can ask them questions without stopping a GPU."""
        return self.sigmas.detach().cpu()

    def walked(self, walk: Callable[..., Walk], *noise: NoiseSampler, guided: bool = False, **options: Any) -> Tensor:
        """Walks all the way with one of our samplers.

        `guided`: it also reads the unconditional answer, as CFG++ samplers do.
        """
        if len(self.sigmas) < 2:
            return self.x
        denoiser = Denoiser(self._both if guided else self._one, self.path)
        return run(walk(denoiser, self.x, self.levels, *noise, **options), self._tell)

    def _one(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        denoised = self.model(x, x.new_ones([len(x)]) * sigma, **(self.extra_args or {}))
        return denoised, denoised

    def _both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Asks with a hook among the model's options that catches the unconditional answer on its way."""
        caught: list[Tensor] = []

        def catch(args: Mapping[str, Any]) -> Tensor:
            caught.append(args["uncond_denoised"])
            denoised: Tensor = args["denoised"]
            return denoised

        given = dict(self.extra_args or {})
        options = given.get("model_options") or {}
        given["model_options"] = {
            **options,
            "sampler_post_cfg_function": [*options.get("sampler_post_cfg_function", []), catch],
            "disable_cfg1_optimization": True,
        }
        denoised = self.model(x, x.new_ones([len(x)]) * sigma, **given)
        # A model without guidance has but one answer.
        return denoised, caught[-1] if caught else denoised

    def _tell(self, step: Step) -> None:
        if self.callback is not None:
            sigma = step.sigma.to(self.sigmas.device)
            self.callback({"x": step.x, "i": step.index, "sigma": sigma, "sigma_hat": sigma, "denoised": step.denoised})


def model_sampling_of(model: Any) -> Any:
    """The model_sampling at the bottom of a sampler's model; None where there is no such thing."""
    inside = getattr(getattr(model, "inner_model", None), "inner_model", None)
    return getattr(inside, "model_sampling", None)


def path_of(model: Any) -> Path:
    """How a sampler's model mixes picture and noise; a plain function is taken for a diffusion."""
    sampling = model_sampling_of(model)
    if sampling is None or not is_flow(sampling):
        return VARIANCE_EXPLODING
    return Path(True, float(sampling.percent_to_sigma(1e-4)))


def is_flow(model_sampling: Any) -> bool:
    """Whether noise and picture are mixed on a straight line (comfy.model_sampling.CONST)."""
    # Looked up, not imported: sampler functions are also used where no model class ever was.
    known = sys.modules.get("comfy.model_sampling")
    return known is not None and isinstance(model_sampling, known.CONST)
