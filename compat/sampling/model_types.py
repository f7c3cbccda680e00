"""What networks tell and at which noise levels, by ComfyUI's names; comfy.model_base offers them to plugins."""

from enum import Enum
from typing import Any

import comfy.model_sampling


class ModelType(Enum):
    """What a network tells, and at which noise levels."""

    EPS = 1
    V_PREDICTION = 2
    V_PREDICTION_EDM = 3
    STABLE_CASCADE = 4
    EDM = 5
    FLOW = 6
    V_PREDICTION_CONTINUOUS = 7
    FLUX = 8
    IMG_TO_IMG = 9
    FLOW_COSMOS = 10


def model_sampling(model_config: Any, model_type: ModelType) -> Any:
    """The sampling object for a way of speaking, with the settings of a family."""
    ms = comfy.model_sampling
    speech, schedule = {
        ModelType.EPS: (ms.EPS, ms.ModelSamplingDiscrete),
        ModelType.V_PREDICTION: (ms.V_PREDICTION, ms.ModelSamplingDiscrete),
        ModelType.V_PREDICTION_EDM: (ms.V_PREDICTION, ms.ModelSamplingContinuousEDM),
        ModelType.STABLE_CASCADE: (ms.EPS, ms.StableCascadeSampling),
        ModelType.EDM: (ms.EDM, ms.ModelSamplingContinuousEDM),
        ModelType.FLOW: (ms.CONST, ms.ModelSamplingDiscreteFlow),
        ModelType.V_PREDICTION_CONTINUOUS: (ms.V_PREDICTION, ms.ModelSamplingContinuousV),
        ModelType.FLUX: (ms.CONST, ms.ModelSamplingFlux),
        ModelType.IMG_TO_IMG: (ms.IMG_TO_IMG, ms.ModelSamplingDiscrete),
        ModelType.FLOW_COSMOS: (ms.COSMOS_RFLOW, ms.ModelSamplingCosmosRFlow),
    }[model_type]
    return type("ModelSampling", (schedule, speech), {})(model_config)
