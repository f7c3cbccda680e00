"""On a GPU the same seed draws the same picture: noise comes from the CPU, only the arithmetic moves."""

import pytest
import torch
from torch import Tensor, nn

from engine.conditioning import Area, Condition
from engine.models.latent_format import SD1
from engine.sampling import noise
from engine.sampling.guiders import DualCfg, PerpNeg
from engine.sampling.hooks import Answers, Hooks, Rule
from engine.sampling.prediction import Prediction
from engine.sampling.sample import SAMPLERS, sample
from engine.sampling.schedules import sigmas
from engine.sampling.table import SigmaTable

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

TABLE = SigmaTable.from_betas()
EMPTY = torch.zeros(2, 4, 8, 12)


class Towards(nn.Module):
    """Sees a latent half-way between what it is shown and what its text says."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor, y=None, control=None) -> Tensor:
        said = context.mean(dim=(1, 2)).view(-1, 1, 1, 1)
        return self.share * x + (1 - self.share) * said + 0 * timesteps.view(-1, 1, 1, 1)


def drawn(name: str, device: str, **more) -> Tensor:
    mask = torch.ones(64, 96)
    mask[:, :40] = 0.3
    return sample(
        Towards().to(device),
        Prediction("x0", TABLE),
        SD1,
        positive=[Condition(torch.ones(1, 7, 4)), Condition(torch.full((1, 7, 4), 3.0), area=Area(8, 6, 0, 4))],
        negative=[Condition(torch.zeros(1, 7, 4), mask=mask)],
        cfg=2.0,
        latent=EMPTY,
        noise=noise.initial(EMPTY, 3),
        sampler=name,
        sigmas=sigmas("karras", TABLE, 5, sampler=name),
        noise_mask=mask,
        seed=3,
        **more,
    )


@pytest.mark.parametrize("name", [name for name in SAMPLERS if not name.endswith("_gpu")])
def test_a_gpu_draws_what_the_cpu_draws(name: str) -> None:
    torch.testing.assert_close(drawn(name, "cuda"), drawn(name, "cpu"), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rule", [DualCfg(3.0, 2.0), DualCfg(3.0, 1.0, is_nested=True), PerpNeg(2.0, 0.5)])
def test_guidance_by_three_sides_that_asks_again_is_the_same_there(rule: Rule) -> None:
    others = (Condition(torch.full((1, 7, 4), 2.0)),)

    def ask_again(answers: Answers, guided: Tensor) -> Tensor:
        return guided + 0.1 * (answers.ask(0, x=answers.x * 0.9, sigma=answers.sigma * 0.8) - answers.ask(others))

    job = {"others": {"third": [Condition(torch.full((1, 7, 4), -1.0))]}, "rule": rule}
    made, wanted = (drawn("euler", each, hooks=Hooks(after=(ask_again,)), **job) for each in ("cuda", "cpu"))
    torch.testing.assert_close(made, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name.endswith("_gpu")])
def test_samplers_named_gpu_draw_their_own_noise_there(name: str) -> None:
    made = drawn(name, "cuda")
    assert torch.equal(made, drawn(name, "cuda"))
    assert bool(torch.isfinite(made).all())
