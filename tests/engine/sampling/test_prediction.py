import math

import pytest
import torch

from engine.errors import SamplingError
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable

TABLE = SigmaTable.from_betas()
CLEAN, NOISE = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
LEVELS = [0.03, 1.0, 14.6]


@pytest.mark.parametrize("sigma", [torch.tensor(each) for each in LEVELS])
def test_a_perfect_answer_means_the_clean_latent(sigma: torch.Tensor) -> None:
    x = CLEAN + sigma * NOISE
    # v in the variance-preserving form: α·ε − σ'·x₀ with α = 1/√(1+σ²), σ' = σ/√(1+σ²).
    scale = 1 / torch.sqrt(1 + sigma**2)
    perfect = {"eps": NOISE, "v": scale * NOISE - sigma * scale * CLEAN, "x0": CLEAN, "img_to_img": CLEAN}
    for kind, answer in perfect.items():
        found = Prediction(kind, TABLE).denoised(answer, x, sigma)
        torch.testing.assert_close(found, CLEAN, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("sigma", [torch.tensor(each) for each in LEVELS])
def test_edm_mixes_input_and_answer_as_in_its_table(sigma: torch.Tensor) -> None:
    edm = Prediction("edm", TABLE, sigma_data=0.5)
    skip = 0.25 / (sigma**2 + 0.25)
    out = sigma * 0.5 / math.sqrt(float(sigma) ** 2 + 0.25)
    torch.testing.assert_close(edm.denoised(NOISE, CLEAN, sigma), skip * CLEAN + out * NOISE)
    torch.testing.assert_close(edm.scaled_input(CLEAN, sigma), CLEAN / math.sqrt(float(sigma) ** 2 + 0.25))


@pytest.mark.parametrize("sigma", [torch.tensor(each) for each in (0.01, 0.5, 0.99)])
def test_a_flow_goes_straight(sigma: torch.Tensor) -> None:
    flow = Prediction("flow", SigmaTable.from_flow(3.0))
    x = flow.noised(CLEAN, NOISE, sigma)
    torch.testing.assert_close(x, (1 - sigma) * CLEAN + sigma * NOISE)
    torch.testing.assert_close(flow.denoised(NOISE - CLEAN, x, sigma), CLEAN, rtol=1e-4, atol=1e-5)
    assert torch.equal(flow.scaled_input(x, sigma), x)
    torch.testing.assert_close(flow.end(x, sigma), x / (1 - sigma))


@pytest.mark.parametrize("sigma", [torch.tensor(each) for each in LEVELS])
def test_the_network_sees_inputs_of_variance_one(sigma: torch.Tensor) -> None:
    x = CLEAN + sigma * NOISE
    assert float(Prediction("eps", TABLE).scaled_input(x, sigma).std()) == pytest.approx(1.0, abs=0.1)


def test_sampling_begins_with_noise_as_strong_as_in_training() -> None:
    eps = Prediction("eps", TABLE)
    top, below = torch.tensor(TABLE.sigma_max), torch.tensor(5.0)
    torch.testing.assert_close(eps.start(CLEAN, NOISE, top), CLEAN + NOISE * torch.sqrt(1 + top**2))
    torch.testing.assert_close(eps.start(CLEAN, NOISE, below), CLEAN + NOISE * 5.0)
    torch.testing.assert_close(eps.start(CLEAN, NOISE, top * (1 - 1e-6)), CLEAN + NOISE * torch.sqrt(1 + top**2))


def test_predictions_that_do_not_exist_or_fit_their_table_are_refused() -> None:
    with pytest.raises(SamplingError, match="unknown"):
        Prediction("guess", TABLE)
    with pytest.raises(SamplingError, match="does not go"):
        Prediction("flow", TABLE)
