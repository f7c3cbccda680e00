"""What hints ask for in a run: nets begun once, adapters asked once, several hints in turn, a text of their own."""

import pytest
import torch
from torch import Tensor

from engine.conditioning import Area, BoxedPhrase, Condition, ControlHint, Grounding
from engine.errors import ImageError, SamplingError
from engine.models.control import ControlResiduals
from engine.sampling.controls import Controls
from engine.sampling.fitting import fit
from engine.sampling.guidance import Guide
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable

X = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(1))
TABLE = SigmaTable.from_betas()
SIGMA = torch.tensor(3.0)


class Adapter:
    """A net that reads hints alone; it answers the mean of each, at an input block."""

    reads_hint_alone = True

    def __init__(self) -> None:
        self.asked: list[Tensor] = []
        self.begun_with: list[object] = []

    def begun(self, denoiser: object) -> "Adapter":
        self.begun_with.append(denoiser)
        return self

    def hint_size(self, height: int, width: int) -> tuple[int, int]:
        return 10 * height, 20 * width

    def __call__(self, x: Tensor, hint: Tensor) -> ControlResiduals:
        self.asked.append(hint)
        return ControlResiduals(encoder=(hint.mean(dim=(1, 2, 3)),))


class Net:
    """A net that remembers what it was asked with."""

    def __init__(self) -> None:
        self.asked: list[tuple[Tensor, ...]] = []

    def __call__(self, *given: Tensor) -> ControlResiduals:
        self.asked.append(given)
        return ControlResiduals(middle=torch.zeros(()))


def hints(*values: float) -> Tensor:
    return torch.stack([torch.full((3, 30, 40), value) for value in values])


def ask(controls: Controls, *asked: ControlHint, places: tuple[int, ...] = (0, 1, 0, 1)) -> ControlResiduals | None:
    rows = len(places)
    return controls.asked(asked, places, X[:1].repeat(rows, 1, 1, 1), torch.zeros(rows), torch.zeros(rows, 5, 6), None)


def test_an_adapter_is_asked_once_for_a_run_and_answers_every_row() -> None:
    net, denoiser = Adapter(), object()
    controls = Controls(denoiser)
    hint = ControlHint(net, hints(1.0, 2.0, 9.0), 0.5)
    for _ in range(2):
        answer = ask(controls, hint)
        assert answer is not None
        assert answer.encoder[0].tolist() == [0.5, 1.0, 0.5, 1.0]
    part = ask(controls, hint, places=(1,))
    assert part is not None
    assert part.encoder[0].tolist() == [1.0]
    assert [tuple(each.shape) for each in net.asked] == [(3, 3, 80, 240)]
    assert net.begun_with == [denoiser]


def test_hints_that_share_a_net_begin_it_once_and_add_up() -> None:
    net = Adapter()
    answer = ask(Controls(None), ControlHint(net, hints(1.0)), ControlHint(net, hints(10.0), 2.0))
    assert answer is not None
    assert answer.encoder[0].tolist() == [21.0] * 4
    assert len(net.begun_with) == 1
    assert ask(Controls(None)) is None


def test_a_net_that_answers_no_numbers_is_named() -> None:
    class Broken(Net):
        def __call__(self, *given: Tensor) -> ControlResiduals:
            return ControlResiduals(middle=torch.tensor(float("nan")))

    with pytest.raises(SamplingError, match="Broken answered with values that are no numbers"):
        ask(Controls(None), ControlHint(Broken(), hints(1.0)))


def test_a_hint_too_narrow_to_be_cut_is_named() -> None:
    with pytest.raises(ImageError, match="nothing is left of a picture of 1×1000"):
        ask(Controls(None), ControlHint(Net(), torch.zeros(1, 3, 1000, 1)))


def guided(*sides: list[Condition], sigma: Tensor = SIGMA) -> list[dict]:
    """What the network is asked with, for these sides."""
    told: list[dict] = []

    def network(x: Tensor, timesteps: Tensor, context: Tensor, **others) -> Tensor:
        told.append({"x": x, "context": context, **others})
        return torch.zeros_like(x)

    positive, negative = sides
    fitted = fit(positive, negative, (8, 12), TABLE)
    Guide(network, Prediction("eps", TABLE), fitted, 2.0).both(X, sigma)
    return told


def test_a_net_reads_its_own_text_and_the_vector() -> None:
    net = Net()
    hint = ControlHint(net, hints(1.0))
    tokens, own, vector = torch.zeros(1, 5, 6), torch.ones(1, 9, 6), torch.full((1, 7), 3.0)
    told = Condition(tokens, control=(hint,), control_tokens=own, vector=vector)
    guided([told], [Condition(tokens, control=(hint,), vector=vector)])
    texts = {(tuple(context.shape), float(context.mean())) for _, _, _, context, _ in net.asked}
    assert texts == {((2, 9, 6), 1.0), ((2, 5, 6), 0.0)}
    assert all(y.shape == (2, 7) for *_, y in net.asked)


class Boxes:
    """A grounding network that says what it was asked to show."""

    def shown(self, phrases, size):
        return (tuple(phrases), size)


def test_boxes_are_lent_to_the_negative_side_and_shown_in_the_part_that_is_looked_at() -> None:
    phrase = BoxedPhrase(torch.zeros(1, 4), 2, 2, 0, 0)
    grounding = Grounding(Boxes(), (phrase,))
    text = Condition(torch.zeros(1, 5, 6))
    (both,) = guided([Condition(text.tokens, grounding=grounding)], [text])
    assert both["patches"]["patches"]["middle_patch"] == [((phrase,), (8, 12))]
    assert both["patches"]["cond_or_uncond"] == [0, 0, 1, 1]
    own = Grounding(Boxes(), ())
    told = guided(
        [Condition(text.tokens, grounding=grounding), Condition(text.tokens, area=Area(8, 4, 0, 8), grounding=own)],
        [text],
    )
    shown = sorted((each["x"].shape[-1], *each["patches"]["patches"]["middle_patch"][0]) for each in told)
    assert [(width, len(phrases), size) for width, phrases, size in shown] == [(4, 0, (8, 4)), (12, 1, (8, 12))]
