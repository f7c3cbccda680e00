import pytest
import torch

from engine.conditioning import Condition
from engine.models.latent_format import LatentFormat
from engine.sampling.fitting import Fitted, Span
from engine.sampling.inpainting import GREY, FurtherChannels, Redraw
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable

FORMAT = LatentFormat(scale=2.0)
LATENT = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))


def fitted(**options) -> Fitted:
    return Fitted(Condition(torch.zeros(1, 7, 4), **options), Span(float("inf"), 0.0))


def test_where_the_mask_is_zero_the_model_sees_and_leaves_the_picture() -> None:
    mask = torch.zeros(2, 1, 8, 8)
    mask[..., :4] = 1.0
    mask[..., 4] = 0.25
    seen = []

    def both(x, sigma):
        seen.append(x)
        return torch.full_like(x, 7.0), torch.full_like(x, -7.0)

    x, sigma = torch.full_like(LATENT, 100.0), torch.tensor(3.0)
    redraw = Redraw(both, Prediction("eps", SigmaTable.from_betas()), mask, LATENT, NOISE)
    guided, unconditional = redraw(x, sigma)
    kept = LATENT + 3.0 * NOISE
    torch.testing.assert_close(seen[0][..., :4], x[..., :4])
    torch.testing.assert_close(seen[0][..., 4], 25.0 + 0.75 * kept[..., 4])
    torch.testing.assert_close(seen[0][..., 5:], kept[..., 5:])
    torch.testing.assert_close(guided[..., :4], torch.full_like(x, 7.0)[..., :4])
    torch.testing.assert_close(guided[..., 4], 0.25 * 7.0 + 0.75 * LATENT[..., 4])
    torch.testing.assert_close(guided[..., 5:], LATENT[..., 5:])
    assert bool((unconditional == -7.0).all())


def test_a_mask_may_change_with_the_noise_level() -> None:
    redraw = Redraw(
        lambda x, sigma: (x * 0, x * 0),
        Prediction("eps", SigmaTable.from_betas()),
        torch.zeros(2, 1, 8, 8),
        LATENT,
        NOISE,
        lambda sigma, mask: mask + float(sigma > 1),
    )
    assert torch.equal(redraw(LATENT, torch.tensor(2.0))[0], torch.zeros_like(LATENT))
    assert torch.equal(redraw(LATENT, torch.tensor(0.5))[0], LATENT)


def test_ordinary_networks_have_no_further_channels() -> None:
    assert FurtherChannels(0, FORMAT, LATENT)(fitted()) is None


def test_an_inpainting_network_without_a_mask_sees_grey_to_redraw() -> None:
    made = FurtherChannels(5, FORMAT, LATENT)(fitted())
    assert made is not None
    assert bool((made[:, 0] == 1).all())
    torch.testing.assert_close(made[:, 1:], torch.tensor(GREY).view(1, 4, 1, 1).expand_as(LATENT))


def test_an_inpainting_network_sees_the_rounded_mask_and_the_picture_it_began_with() -> None:
    mask = torch.linspace(0, 1, 8).expand(2, 1, 8, 8)
    made = FurtherChannels(5, FORMAT, LATENT, mask)(fitted())
    assert made is not None
    assert made[0, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert torch.equal(made[:, 1:], LATENT)


def test_a_conditions_own_picture_and_mask_come_first() -> None:
    given, mask = torch.ones(1, 4, 16, 16), torch.ones(1, 64, 64)
    mask[..., :32] = 0.0
    made = FurtherChannels(5, FORMAT, LATENT, torch.zeros(2, 1, 8, 8))(fitted(concat_latent=given, concat_mask=mask))
    assert made is not None
    assert made[1, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    torch.testing.assert_close(made[:, 1:], torch.full_like(LATENT, 2.0))  # scaled as the network wants it


@pytest.mark.parametrize("given", [None, torch.ones(1, 4, 8, 8)])
def test_an_editing_network_sees_the_picture_unscaled_or_nothing(given: torch.Tensor | None) -> None:
    made = FurtherChannels(4, FORMAT, LATENT)(fitted(concat_latent=given))
    assert torch.equal(made, torch.zeros_like(LATENT) if given is None else torch.ones_like(LATENT))
