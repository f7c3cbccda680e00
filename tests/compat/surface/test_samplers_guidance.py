"""comfy.samplers over a model whose answers can be worked out by hand: guidance, areas, masks, times, hooks."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from compat.host import Host
from engine.conditioning import Area, Condition
from engine.sampling.fitting import fit
from engine.sampling.guidance import Guide
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable
from tests.compat.sampling.parrot import Parrot, text

pytestmark = pytest.mark.usefixtures("host")

X = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(0))
SIGMA = torch.tensor([3.0, 3.0])
CPU = torch.device("cpu")


@pytest.fixture
def samplers(host: Host) -> Any:
    import comfy.samplers

    return comfy.samplers


@pytest.fixture
def parrot(samplers: Any) -> Parrot:
    return Parrot()


def ready(model: Parrot, positive: list[Any], negative: list[Any], **given: Any) -> dict[str, list[Any]]:
    import comfy.sampler_helpers
    import comfy.samplers

    sides = {"positive": positive, "negative": negative}
    conds = {name: comfy.sampler_helpers.convert_cond(side) for name, side in sides.items()}
    return comfy.samplers.process_conds(model, X, conds, CPU, **given)


def looked(
    model: Parrot,
    positive: list[Any],
    negative: list[Any],
    cfg: float = 7.0,
    options: Any = None,
    sigma: Tensor = SIGMA,
) -> Tensor:
    """One look under guidance."""
    import comfy.samplers

    conds = ready(model, positive, negative)
    given = {} if options is None else options
    return comfy.samplers.sampling_function(model, X, sigma, conds["negative"], conds["positive"], cfg, given)


def everywhere(value: float) -> Tensor:
    return torch.full_like(X, value)


def test_the_guided_answer_is_pushed_away_from_the_negative_in_one_question(parrot: Parrot) -> None:
    torch.testing.assert_close(looked(parrot, [text(1.0)], [text(0.25)]), everywhere(0.25 + 7 * 0.75))
    (asked,) = parrot.asked
    torch.testing.assert_close(asked["x"], torch.cat([X, X]))
    assert asked["t"].tolist() == [3.0] * 4
    options = asked["transformer_options"]
    assert options["cond_or_uncond"] == [0, 1]
    assert options["sigmas"] is SIGMA
    assert len(set(options["uuids"])) == 2


def test_at_scale_one_nobody_asks_about_the_negative_unless_told_to(parrot: Parrot) -> None:
    torch.testing.assert_close(looked(parrot, [text(1.0)], [text(0.25)], 1.0), everywhere(1.0))
    assert len(parrot.asked[-1]["x"]) == 2
    looked(parrot, [text(1.0)], [text(0.25)], 1.0, {"disable_cfg1_optimization": True})
    assert len(parrot.asked[-1]["x"]) == 4


def test_the_cfg_function_gives_noise_that_is_taken_from_the_input(parrot: Parrot) -> None:
    seen: dict[str, Any] = {}

    def combine(args: Mapping[str, Any]) -> Tensor:
        seen.update(args)
        return args["uncond"] + (args["cond"] - args["uncond"]) * args["cond_scale"] * 2

    options = {"sampler_cfg_function": combine}
    made = looked(parrot, [text(1.0)], [text(0.25)], 7.0, options)
    torch.testing.assert_close(made, everywhere(0.25 + 14 * 0.75))
    assert seen.keys() == {
        *("cond", "uncond", "cond_scale", "timestep", "input", "sigma", "cond_denoised", "uncond_denoised"),
        *("model", "model_options", "input_cond", "input_uncond"),
    }
    torch.testing.assert_close(seen["cond"], X - seen["cond_denoised"])
    torch.testing.assert_close(seen["uncond"], X - everywhere(0.25))
    assert seen["model"] is parrot
    assert seen["model_options"] is options
    assert seen["sigma"] is seen["timestep"] is SIGMA
    assert float(seen["input_cond"][0]["cross_attn"].mean()) == 1.0
    assert float(seen["input_uncond"][0]["cross_attn"].mean()) == 0.25


def test_post_cfg_functions_change_the_guided_answer_in_turn(parrot: Parrot) -> None:
    seen: list[Mapping[str, Any]] = []

    def double(args: Mapping[str, Any]) -> Tensor:
        seen.append(args)
        return args["denoised"] * 2

    def add(args: Mapping[str, Any]) -> Tensor:
        return args["denoised"] + args["cond_denoised"]

    made = looked(parrot, [text(1.0)], [text(0.25)], 3.0, {"sampler_post_cfg_function": [double, add]})
    torch.testing.assert_close(made, everywhere((0.25 + 3 * 0.75) * 2 + 1.0))
    assert seen[0].keys() == {
        *("denoised", "cond", "uncond", "cond_scale", "model", "uncond_denoised", "cond_denoised"),
        *("sigma", "model_options", "input"),
    }
    looked(parrot, [text(1.0)], [text(0.25)], 1.0, {"sampler_post_cfg_function": [double]})
    assert torch.equal(seen[1]["uncond_denoised"], torch.zeros_like(X))
    assert seen[1]["uncond"] is None


def test_pre_cfg_functions_change_both_answers(parrot: Parrot) -> None:
    seen: dict[str, Any] = {}

    def swap(args: Mapping[str, Any]) -> list[Tensor]:
        seen.update(args)
        return args["conds_out"][::-1]

    made = looked(parrot, [text(1.0)], [text(0.25)], 3.0, {"sampler_pre_cfg_function": [swap]})
    torch.testing.assert_close(made, everywhere(1.0 - 3 * 0.75))
    assert seen.keys() == {
        *("conds", "conds_out", "cond_scale", "timestep", "input", "sigma", "model", "model_options")
    }
    assert [len(each) for each in seen["conds"]] == [1, 1]


def test_the_whole_batch_evaluation_can_be_replaced(parrot: Parrot) -> None:
    seen: dict[str, Any] = {}

    def instead(args: Mapping[str, Any]) -> list[Tensor]:
        seen.update(args)
        return [everywhere(5.0), everywhere(4.0)]

    made = looked(parrot, [text(1.0)], [text(0.25)], 2.0, {"sampler_calc_cond_batch_function": instead})
    torch.testing.assert_close(made, everywhere(6.0))
    assert seen.keys() == {"conds", "input", "sigma", "model", "model_options"}
    assert parrot.asked == []


def test_the_function_wrapper_gets_the_call_and_may_change_it(parrot: Parrot) -> None:
    seen: dict[str, Any] = {}

    def wrapper(apply_model: Any, args: Mapping[str, Any]) -> Tensor:
        seen.update(args)
        return apply_model(args["input"], args["timestep"], **args["c"]) + 1

    made = looked(parrot, [text(1.0)], [text(0.25)], 2.0, {"model_function_wrapper": wrapper})
    torch.testing.assert_close(made, everywhere(2.75))
    assert seen.keys() == {"input", "timestep", "c", "cond_or_uncond"}
    assert seen["cond_or_uncond"] == [0, 1]
    assert seen["input"].shape == (4, 4, 8, 12)
    assert seen["timestep"].tolist() == [3.0] * 4
    assert seen["c"].keys() == {"c_crossattn", "transformer_options"}


def test_functions_are_found_in_the_module_when_they_are_called(
    parrot: Parrot, samplers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samplers, "calc_cond_batch", lambda *args: [everywhere(2.0), everywhere(1.0)])
    torch.testing.assert_close(looked(parrot, [text(0.0)], [text(0.0)], 3.0), everywhere(4.0))
    monkeypatch.setattr(samplers, "cfg_function", lambda *args, **options: everywhere(9.0))
    torch.testing.assert_close(looked(parrot, [text(0.0)], [text(0.0)], 3.0), everywhere(9.0))


def test_any_number_of_lists_can_be_asked_about_and_none_gives_zeros(parrot: Parrot, samplers: Any) -> None:
    conds = ready(parrot, [text(1.0)], [text(0.25)])
    lists = [conds["positive"], None, conds["negative"], conds["positive"]]
    answers = samplers.calc_cond_batch(parrot, lists, X, SIGMA, {})
    assert [float(each.mean()) for each in answers] == pytest.approx([1.0, 0.0, 0.25, 1.0])
    assert parrot.asked[0]["transformer_options"]["cond_or_uncond"] == [0, 2, 3]


def test_batches_are_no_larger_than_free_memory(samplers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import comfy.model_management

    monkeypatch.setattr(comfy.model_management, "get_free_memory", lambda *args, **options: 7.0)
    small = Parrot()
    made = looked(small, [text(1.0), text(2.0)], [text(0.25)])
    # 1.5 × 4 rows are less than 7, 1.5 × 6 are not.
    assert [len(each["x"]) for each in small.asked] == [4, 2]
    torch.testing.assert_close(made, everywhere(0.25 + 7 * 1.25))
    large = Parrot(room=100.0)
    looked(large, [text(1.0)], [text(0.25)])
    assert [len(each["x"]) for each in large.asked] == [2, 2]


def test_a_batch_that_did_not_fit_after_all_is_asked_in_halves(samplers: Any) -> None:
    class Tight(Parrot):
        def apply_model(self, x: Tensor, t: Tensor, c_crossattn: Tensor, control: Any = None, **others: Any) -> Tensor:
            if len(x) > 2:
                raise torch.OutOfMemoryError("out of memory")
            return super().apply_model(x, t, c_crossattn, control, **others)

    tight = Tight()
    torch.testing.assert_close(looked(tight, [text(1.0)], [text(0.25)]), everywhere(0.25 + 7 * 0.75))
    assert [len(each["x"]) for each in tight.asked] == [2, 2]


MASK = torch.zeros(1, 8, 12)
MASK[..., :6] = 1.0
SIDES = {
    "two strengths": ([text(1.0, strength=3.0), text(5.0)], [text(0.25)]),
    "masks": ([text(1.0, mask=MASK), text(4.0, mask=1 - MASK, mask_strength=0.5)], [text(0.25)]),
    "a mask of another size": ([text(1.0), text(4.0, mask=MASK[:, ::2, ::3])], [text(0.25)]),
    "the bounds of a mask": ([text(1.0), text(4.0, mask=MASK, set_area_to_bounds=True)], [text(0.25)]),
    "an area": ([text(1.0), text(3.0, area=(8, 5, 0, 7))], [text(0.25)]),
    "areas in areas": (
        [text(1.0), text(3.0, area=(6, 10, 1, 1), strength=0.7), text(4.0, area=(4, 4, 2, 2))],
        [text(0.25), text(0.5, area=(6, 8, 1, 1))],
    ),
    "shares": ([text(1.0), text(3.0, area=("percentage", 0.5, 0.5, 0.25, 0.3))], [text(0.25)]),
    "times": ([text(1.0, start_percent=0.9), text(2.0, end_percent=0.9)], [text(0.25, start_percent=0.2)]),
    "lengths": ([text(1.0), text(2.0, tokens=154)], [text(0.25, tokens=231)]),
}


@pytest.mark.parametrize("case", SIDES)
@pytest.mark.parametrize("cfg", [1.0, 7.0])
@pytest.mark.parametrize("level", [0.2, 3.0, 12.0])
def test_conditions_of_every_kind_are_answered_as_by_our_own_guidance(
    parrot: Parrot, case: str, cfg: float, level: float
) -> None:
    positive, negative = SIDES[case]
    made = looked(parrot, positive, negative, cfg, sigma=torch.full((2,), level))
    sides = fit(_ours(positive), _ours(negative), (8, 12), SigmaTable.from_betas())
    network = lambda x, times, context, **others: context.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand(x.shape)  # noqa: E731
    guide = Guide(network, Prediction("x0", SigmaTable.from_betas()), sides, cfg)
    torch.testing.assert_close(made, guide.both(X, torch.tensor(level))[0], rtol=1e-5, atol=1e-6)


def _ours(side: list[Any]) -> list[Condition]:
    return [
        Condition(
            tokens,
            strength=options.get("strength", 1.0),
            area=None
            if "area" not in options
            else Area(*options["area"][-4:], is_share=options["area"][0] == "percentage"),
            mask=options.get("mask"),
            mask_strength=options.get("mask_strength", 1.0),
            area_from_mask=options.get("set_area_to_bounds", False),
            start_percent=options.get("start_percent", 0.0),
            end_percent=options.get("end_percent", 1.0),
        )
        for tokens, options in side
    ]


def test_a_default_condition_fills_what_the_others_leave(parrot: Parrot) -> None:
    made = looked(parrot, [text(1.0, mask=MASK), text(5.0, default=True)], [text(0.0)], 1.0)
    torch.testing.assert_close(made, torch.where(MASK[:, None] > 0, 1.0, 5.0).expand_as(X).contiguous())
    looked(parrot, [text(1.0), text(5.0, default=True)], [text(0.0)], 1.0)
    assert len(parrot.asked[-1]["x"]) == 2


class Control:
    """As much of a ControlBase as sampling touches; it answers a number."""

    def __init__(self, answer: float) -> None:
        self.answer = answer
        self.begun: list[Any] = []
        self.asked: list[tuple[Any, ...]] = []

    def pre_run(self, model: Any, percent_to_sigma: Any) -> None:
        self.begun.append((model, percent_to_sigma(1.0)))

    def get_control(self, x: Tensor, t: Tensor, cond: Any, batched_number: int, transformer_options: Any) -> Any:
        self.asked.append((x.shape, t.tolist(), dict(cond), batched_number, transformer_options["cond_or_uncond"]))
        return self.answer


def test_control_objects_are_told_of_the_run_and_asked_once_for_a_batch(parrot: Parrot) -> None:
    control = Control(2.0)
    made = looked(parrot, [text(1.0, control=control)], [text(0.0, control=control)], 3.0)
    torch.testing.assert_close(made, everywhere(2.0 + 3.0))
    assert control.begun[0] == (parrot, 0.0)
    ((shape, times, cond, count, signs),) = control.asked
    assert (shape, times, count, signs) == ((4, 4, 8, 12), [3.0] * 4, 2, [0, 1])
    assert cond["c_crossattn"].shape == (4, 77, 5)


def test_different_controls_are_asked_apart(parrot: Parrot) -> None:
    looked(parrot, [text(1.0, control=Control(2.0))], [text(0.0)], 3.0)
    assert sorted(each["control"] or 0.0 for each in parrot.asked) == [0.0, 2.0]


def test_hints_are_lent_to_negatives_of_the_whole_picture_that_have_none(parrot: Parrot) -> None:
    control = Control(2.0)
    conds = ready(parrot, [text(1.0, control=control, control_apply_to_uncond=True)], [text(0.0), text(0.5)])
    assert [each.get("control") for each in conds["negative"]] == [control, None]
    kept = ready(parrot, [text(1.0, control=control, control_apply_to_uncond=True)], [text(0.0, control=Control(1.0))])
    assert kept["negative"][0]["control"] is not control
    alone = ready(parrot, [text(1.0, control=control)], [text(0.0)])
    assert "control" not in alone["negative"][0]


def test_models_are_told_everything_about_a_condition(parrot: Parrot) -> None:
    given = {"latent_image": X, "denoise_mask": X[:, :1], "seed": 3}
    conds = ready(parrot, [text(1.0, pooled_output=X, guidance=2.0)], [], **given)
    assert parrot.told["pooled_output"] is X
    assert (parrot.told["guidance"], parrot.told["seed"], parrot.told["prompt_type"]) == (2.0, 3, "positive")
    assert (parrot.told["width"], parrot.told["height"]) == (96, 64)
    assert parrot.told["latent_image"] is X
    assert conds["positive"][0]["model_conds"].keys() == {"c_crossattn"}


def test_percents_become_noise_levels(parrot: Parrot) -> None:
    (cond,) = ready(parrot, [text(1.0, start_percent=0.25, end_percent=0.75, clip_start_percent=0.5)], [])["positive"]
    level = SigmaTable.from_betas().at_percent
    assert cond["timestep_start"] == pytest.approx(level(0.5), rel=1e-5)
    assert cond["timestep_end"] == pytest.approx(level(0.75), rel=1e-5)


def test_a_question_is_what_holds_at_a_level_and_where(parrot: Parrot, samplers: Any) -> None:
    (cond,) = ready(parrot, [text(1.0, area=(8, 4, 0, 8), strength=2.0, end_percent=0.5)], [])["positive"]
    question = samplers.get_area_and_mult(cond, X, SIGMA)
    torch.testing.assert_close(question.input_x, X[..., 8:])
    # It fades in over 4 / 4 = 1 cell, at its full weight already.
    torch.testing.assert_close(question.mult, torch.full_like(X[..., 8:], 2.0))
    assert question.area == (8, 4, 0, 8)
    assert samplers.get_area_and_mult(cond, X, torch.tensor([0.1, 0.1])) is None
    assert samplers.can_concat_cond(question, question)
    assert not samplers.can_concat_cond(question, question._replace(control=Control(1.0)))
    both = samplers.cond_cat([question.conditioning, question.conditioning])
    assert both["c_crossattn"].shape == (4, 77, 5)


def test_context_handlers_look_through_windows(parrot: Parrot, samplers: Any) -> None:
    class Windows:
        """Looks at the left and the right half of a picture apart."""

        def should_use_context(self, model: Any, conds: Any, x_in: Tensor, timestep: Tensor, options: Any) -> bool:
            return x_in.shape[-1] > 6

        def execute(self, calc: Any, model: Any, conds: Any, x_in: Tensor, timestep: Tensor, options: Any) -> Any:
            halves = [calc(model, conds, each, timestep, options) for each in x_in.chunk(2, dim=-1)]
            return [torch.cat(each, dim=-1) for each in zip(*halves, strict=True)]

    made = looked(parrot, [text(1.0)], [text(0.25)], 7.0, {"context_handler": Windows()})
    torch.testing.assert_close(made, everywhere(0.25 + 7 * 0.75))
    assert [each["x"].shape[-1] for each in parrot.asked] == [6, 6]


def test_wrappers_go_around_the_batch_evaluation(parrot: Parrot) -> None:
    import comfy.patcher_extension as extension

    def wrapper(executor: Any, model: Any, conds: Any, x_in: Tensor, timestep: Tensor, options: Any) -> list[Tensor]:
        assert model is parrot
        return [each * 2 for each in executor(model, conds, x_in, timestep, options)]

    options: dict[str, Any] = {}
    kind = extension.WrappersMP.CALC_COND_BATCH
    extension.add_wrapper_with_key(kind, "mine", wrapper, options, is_model_options=True)
    made = looked(parrot, [text(1.0)], [text(0.25)], 2.0, options)
    torch.testing.assert_close(made, everywhere(2 * 1.75))
