"""Guidance in the place of the usual one, held to diffusers' formula."""

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from engine.sampling.hooks import Answers
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable
from engine.steering.formulas import rescaling

X, POSITIVE, NEGATIVE = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
V = Prediction("v", SigmaTable.from_betas())


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("level", [0.05, 2.0, 14.6])
def test_rescaled_guidance_is_diffusers_on_velocities(share: float, level: float) -> None:
    sigma = torch.tensor(level)
    # What a network that tells velocity answered, and what our samplers are told of it.
    clean = [V.denoised(answer, X, sigma) for answer in (POSITIVE, NEGATIVE)]
    combine = rescaling(share).combine
    assert combine is not None
    ours = combine(Answers(X, sigma, *clean, 7.5))
    theirs = rescale_noise_cfg(NEGATIVE + 7.5 * (POSITIVE - NEGATIVE), POSITIVE, guidance_rescale=share)
    torch.testing.assert_close(ours, V.denoised(theirs, X, sigma), rtol=1e-4, atol=1e-4)
