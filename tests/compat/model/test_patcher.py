"""ModelPatcher's members that plugins use, on our model and on a plugin's own module."""

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compat.host  # noqa: F401 -- comfy is importable once a host was installed

KEY = "diffusion_model.input_blocks.1.0.in_layers.2.weight"


def test_weights_can_be_read_while_the_model_rests(patcher: Any, model: Any) -> None:
    weights = patcher.model.state_dict()
    assert weights[KEY].device.type == "cpu"
    assert torch.equal(weights[KEY], model.part.weights[KEY.removeprefix("diffusion_model.")])
    assert torch.equal(patcher.model.diffusion_model.state_dict()["out.2.bias"], model.part.weights["out.2.bias"])
    assert torch.equal(
        patcher.model_state_dict("diffusion_model.out.")["diffusion_model.out.2.bias"].float(),
        weights["diffusion_model.out.2.bias"].float(),
    )
    assert set(patcher.model_state_dict("diffusion_model.out.")) <= set(weights)
    assert next(patcher.model.diffusion_model.parameters()).device.type == "cpu"


def test_weights_at_rest_are_what_they_were_after_every_kind_of_patch(patcher: Any, ask: Any) -> None:
    before = patcher.model.state_dict()[KEY].clone()
    plain = ask(patcher)
    mine = patcher.clone()
    mine.add_patches({KEY: ("diff", (torch.ones_like(before, dtype=torch.float32),))})
    assert not torch.allclose(ask(mine), plain, atol=1e-3)
    assert torch.equal(patcher.model.state_dict()[KEY], before)
    assert torch.equal(ask(patcher), plain)


def loaded(patcher: Any, key: str = KEY) -> Tensor:
    patcher.patch_model(patcher.load_device)
    try:
        return patcher.model.state_dict()[key].clone()
    finally:
        patcher.unpatch_model(patcher.offload_device)


def test_every_form_of_a_patch_means_its_formula(patcher: Any, model: Any) -> None:
    weight = model.part.weights[KEY.removeprefix("diffusion_model.")].float()
    other = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))

    def after(patches: Any, *strengths: float) -> Tensor:
        mine = patcher.clone()
        assert mine.add_patches(patches, *strengths)
        return loaded(mine)

    def near(a: Tensor, b: Tensor) -> bool:
        return torch.allclose(a, b, rtol=2e-3, atol=2e-3)  # the file is in float16

    assert near(after({KEY: (other,)}, 0.5), weight + 0.5 * other)
    assert near(after({KEY: ("diff", (other,))}, 0.5, 0.25), 0.25 * weight + 0.5 * other)
    assert near(after({KEY: ("set", (other,))}, 0.5), other)
    assert near(after({KEY: ("model_as_lora", (other,))}, 0.5), weight + 0.5 * (other - weight))
    merged = [(other, lambda w, **kw: w), (2.0, (weight,), 1.0, None, None)]
    assert near(after({KEY: merged}, 0.5, 0.5), 0.5 * weight + 0.5 * (other + 2 * weight))
    part = after({(KEY, (0, 4, 8)): (other[4:12],)}, 1.0)
    assert near(part[4:12], weight[4:12] + other[4:12])
    assert near(part[12:], weight[12:])
    through = after({(KEY, (0, 0, 8), lambda change: change * 3): (other[:8],)}, 1.0)
    assert near(through[:8], weight[:8] + 3 * other[:8])

    class Adapter:
        def calculate_weight(self, weight: Tensor, key: str, strength: float, *args: Any, **kwargs: Any) -> Tensor:
            weight += strength  # an author may change what he is given
            return weight

    assert near(after({KEY: Adapter()}, 0.5), weight + 0.5)
    assert patcher.clone().add_patches({"diffusion_model.nothing.weight": (other,)}) == []


def test_a_padded_difference_makes_a_weight_wider(patcher: Any, model: Any) -> None:
    key = "diffusion_model.input_blocks.0.0.weight"
    weight = model.part.weights["input_blocks.0.0.weight"].float()
    wide = torch.ones(weight.shape[0], 8, 3, 3)
    mine = patcher.clone()
    mine.add_patches({key: ("diff", (wide, {"pad_weight": True}))})
    got = loaded(mine, key)
    assert got.shape == (weight.shape[0], 8, 3, 3)
    assert torch.allclose(got[:, :4], weight + 1, atol=2e-3)
    assert torch.allclose(got[:, 4:], torch.ones(()), atol=1e-3)


def test_a_patch_of_another_shape_is_left_out_with_a_warning(patcher: Any, model: Any, caplog: Any) -> None:
    mine = patcher.clone()
    mine.add_patches({KEY: ("diff", (torch.ones(3, 3),))})
    weight = model.part.weights[KEY.removeprefix("diffusion_model.")].float()
    assert torch.equal(loaded(mine), weight)
    assert KEY in caplog.text


def test_a_replaced_calculate_weight_is_asked_for_every_weight(
    patcher: Any, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comfy.lora

    original = comfy.lora.calculate_weight

    def patched(patches: Any, weight: Tensor, key: str, intermediate_dtype: Any = torch.float32, **kw: Any) -> Tensor:
        own = [each for each in patches if isinstance(each[1], tuple) and each[1][0] == "mine"]
        for strength, (_, values), *_ in own:
            weight = weight * values[0] * strength
        return original([each for each in patches if each not in own], weight, key, intermediate_dtype, **kw)

    monkeypatch.setattr(comfy.lora, "calculate_weight", patched)
    mine = patcher.clone()
    mine.add_patches({KEY: ("mine", (3.0,))}, 0.5)
    weight = model.part.weights[KEY.removeprefix("diffusion_model.")].float()
    assert torch.allclose(loaded(mine), weight * 1.5, atol=2e-3)


def test_patches_of_clones_that_are_gone_are_forgotten(patcher: Any, model: Any) -> None:
    change = torch.zeros_like(model.part.weights[KEY.removeprefix("diffusion_model.")].float())
    known = weakref.ref(change)
    mine = patcher.clone()
    mine.add_patches({KEY: (change,)})
    held = mine.engine_patches()
    assert mine.clone().engine_patches() == held  # the very same, so that weights which have them are left alone
    loaded(mine)
    del mine, held, change
    gc.collect()
    assert known() is None
    assert not patcher.deltas


def test_merging_is_feeding_one_models_weights_to_another(patcher: Any, model: Any) -> None:
    other = patcher.clone()
    other.add_patches({KEY: (torch.ones_like(model.part.weights[KEY[16:]].float()),)}, 2.0)
    mine = patcher.clone()
    for key, value in other.get_key_patches("diffusion_model.input_blocks.1.").items():
        mine.add_patches({key: value}, 0.25, 0.75)
    weight = model.part.weights[KEY.removeprefix("diffusion_model.")].float()
    assert torch.allclose(loaded(mine), weight + 0.5, atol=2e-3)


def test_a_clone_has_its_own_changes_and_shares_the_model(patcher: Any) -> None:
    patcher = patcher.clone()
    patcher.model_options["transformer_options"]["patches_replace"] = {"attn2": {("input", 1): print}}
    mine = patcher.clone()
    mine.model_options["transformer_options"]["patches_replace"]["attn2"][("input", 2)] = print
    mine.add_patches({KEY: (torch.zeros(1),)})
    mine.add_object_patch("concat_keys", ("mask",))
    mine.model_options["private"] = {"kept": 1}
    assert ("input", 2) not in patcher.model_options["transformer_options"]["patches_replace"]["attn2"]
    assert mine.patches_uuid != patcher.patches_uuid
    assert patcher.patches == {}
    assert patcher.object_patches == {}
    assert mine.model is patcher.model
    assert mine.clone().model_options["private"] == {"kept": 1}
    assert mine.is_clone(patcher)


def test_objects_are_replaced_while_the_model_is_loaded_and_exactly_put_back(patcher: Any) -> None:
    network = patcher.model.diffusion_model
    kind, own = type(network), dict(vars(network))

    class Other(kind):  # type: ignore[misc, valid-type]
        pass

    mine = patcher.clone()
    mine.add_object_patch("diffusion_model.__class__", Other)
    mine.add_object_patch("diffusion_model.forward", lambda *args, **kwargs: "mine")
    mine.add_object_patch("diffusion_model.new_attribute", 3)
    mine.add_object_patch("concat_keys", ("mask",))
    assert mine.get_model_object("concat_keys") == ("mask",)
    assert patcher.get_model_object("concat_keys") == ()
    mine.patch_model(mine.load_device)
    assert type(network) is Other
    assert network.forward() == "mine"
    assert network.new_attribute == 3
    assert patcher.get_model_object("concat_keys") == ()
    mine.unpatch_model(mine.offload_device)
    assert type(network) is kind
    assert "forward" not in vars(network)
    assert not hasattr(network, "new_attribute")
    assert patcher.model.concat_keys == ()
    assert set(vars(network)) == set(own)


def test_a_model_knows_its_size_devices_and_formats(patcher: Any, model: Any) -> None:
    count = sum(weight.numel() for weight in model.part.weights.values())
    assert patcher.model_size() == patcher.size == 4 * count
    assert patcher.load_device == torch.device("cpu")
    assert patcher.offload_device == torch.device("cpu")
    assert patcher.model_dtype() == torch.float32
    assert patcher.model.manual_cast_dtype is None
    assert patcher.model.device == torch.device("cpu")
    assert patcher.memory_required([2, 4, 64, 64]) == 4 * patcher.memory_required([2, 4, 32, 32])
    assert patcher.weight_inplace_update is False
    assert patcher.loaded_size() == 0
    assert patcher.partially_load(patcher.load_device) == 4 * count
    assert patcher.loaded_size() == 4 * count
    assert patcher.current_loaded_device() == torch.device("cpu")
    patcher.detach()
    assert patcher.loaded_size() == 0


def test_functions_and_objects_are_kept_by_key(patcher: Any) -> None:
    from comfy.patcher_extension import CallbacksMP, PatcherInjection, WrappersMP

    calls: list[Any] = []
    mine = patcher.clone()
    mine.add_callback_with_key(CallbacksMP.ON_CLONE, "k", lambda old, new: calls.append(("clone", old is mine)))
    mine.add_callback(CallbacksMP.ON_PRE_RUN, lambda p: calls.append("pre"))
    mine.add_callback_with_key(CallbacksMP.ON_LOAD, "k", lambda p, *args: calls.append(("load", len(args))))
    mine.add_callback_with_key(CallbacksMP.ON_CLEANUP, "k", lambda p: calls.append("cleanup"))
    mine.set_injections("k", [PatcherInjection(lambda p: calls.append("in"), lambda p: calls.append("out"))])
    mine.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "k", print)

    class Attached:
        def on_model_patcher_clone(self) -> str:
            return "a clone of it"

    attached = Attached()
    mine.set_attachments("k", attached)
    mine.set_additional_models("k", [patcher])
    other = mine.clone()
    assert calls == [("clone", True)]
    assert other.get_attachment("k") == "a clone of it"
    assert mine.get_attachment("k") is attached
    assert [each.is_clone(patcher) for each in other.get_additional_models()] == [True]
    assert other.get_additional_models_with_key("k")[0] is not patcher
    assert other.get_wrappers(WrappersMP.OUTER_SAMPLE, "k") == [print]
    assert mine.get_all_wrappers(WrappersMP.OUTER_SAMPLE) == [print]
    mine.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, "k")
    assert mine.get_wrappers(WrappersMP.OUTER_SAMPLE, "k") == []
    calls.clear()
    mine.pre_run()
    mine.patch_model(mine.load_device)
    with mine.use_ejected():
        calls.append("inside")
    mine.unpatch_model(mine.offload_device)
    mine.cleanup()
    assert calls == ["pre", ("load", 4), "in", "out", "inside", "in", "out", "cleanup"]


def test_patches_that_can_move_are_moved_and_tell_their_models(patcher: Any) -> None:
    class Patch:
        def __init__(self, device: Any = None) -> None:
            self.device = device

        def to(self, device: Any) -> "Patch":
            return Patch(device)

        def models(self) -> list[str]:
            return ["another patcher"]

    mine = patcher.clone()
    mine.set_model_attn2_patch(Patch())
    mine.set_model_attn1_replace(Patch(), "input", 1)
    mine.model_patches_to("cuda:7")
    options = mine.model_options["transformer_options"]
    assert options["patches"]["attn2_patch"][0].device == "cuda:7"
    assert options["patches_replace"]["attn1"][("input", 1)].device == "cuda:7"
    assert mine.model_patches_models() == ["another patcher", "another patcher"]


def test_setters_of_guidance_leave_their_functions_in_the_options(patcher: Any) -> None:
    mine = patcher.clone()
    mine.set_model_sampler_cfg_function(lambda cond, uncond, scale: uncond + scale * (cond - uncond), True)
    assert mine.model_options["sampler_cfg_function"]({"cond": 3.0, "uncond": 1.0, "cond_scale": 2.0}) == 5.0
    assert mine.model_options["disable_cfg1_optimization"] is True
    mine.set_model_sampler_post_cfg_function(print)
    mine.set_model_sampler_post_cfg_function(len)
    mine.set_model_sampler_pre_cfg_function(print)
    mine.set_model_unet_function_wrapper(print)
    mine.set_model_denoise_mask_function(print)
    assert mine.model_options["sampler_post_cfg_function"] == [print, len]
    assert mine.model_options["sampler_pre_cfg_function"] == [print]
    assert mine.model_options["model_function_wrapper"] is print
    assert mine.model_options["denoise_mask_function"] is print
    assert "model_function_wrapper" not in patcher.model_options


def test_a_plugins_own_module_is_patched_in_place_and_restored() -> None:
    from comfy.model_patcher import ModelPatcher

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)

    module = Own()
    before = module.linear.weight.detach().clone()
    patcher = ModelPatcher(module, "cpu", "cpu")
    assert patcher.model_size() == (6 + 2) * 4
    mine = patcher.clone()
    mine.add_patches({"linear.weight": (torch.ones(2, 3),)}, 2.0)
    mine.patch_model("cpu")
    assert torch.allclose(module.linear.weight, before + 2)
    assert "linear.weight" in mine.backup
    assert torch.equal(mine.get_key_patches()["linear.weight"][0][0], before)
    mine.unpatch_model("cpu")
    assert torch.equal(module.linear.weight, before)
    assert mine.backup == {}


def test_a_subclass_may_override_what_six_packs_override() -> None:
    from comfy.model_patcher import ModelPatcher

    calls: list[str] = []

    class Mine(ModelPatcher):
        def __init__(self, *args: Any, extra: str = "", **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.extra = extra

        def clone(self) -> Any:
            n = super().clone()
            n.extra = self.extra
            return n

        def load(self, *args: Any, force_patch_weights: bool = False, **kwargs: Any) -> None:
            calls.append("load")
            super().load(*args, force_patch_weights=True, **kwargs)

        def patch_weight_to_device(self, key: str, device_to: Any = None, inplace_update: bool = False) -> None:
            calls.append(key)
            super().patch_weight_to_device(key, device_to, inplace_update)

        def unpatch_model(self, device_to: Any = None, unpatch_weights: bool = True) -> None:
            calls.append("unpatch")
            super().unpatch_model(device_to, unpatch_weights)

        def detach(self, *args: Any) -> Any:
            calls.append("detach")
            return super().detach(*args)

    module = nn.Linear(2, 2)
    mine = Mine(module, "cpu", "cpu", extra="kept").clone()
    assert type(mine) is Mine
    assert mine.extra == "kept"
    mine.add_patches({"weight": (torch.eye(2),)})
    mine.patch_model("cpu")
    mine.detach()
    assert calls == ["load", "weight", "detach", "unpatch"]


def test_layers_of_comfy_ops_take_functions_for_their_weights() -> None:
    from comfy import ops
    from comfy.model_patcher import ModelPatcher

    layer = nn.Sequential(ops.disable_weight_init.Linear(2, 2, bias=False))
    layer[0].weight.data = torch.eye(2)
    mine = ModelPatcher(layer, "cpu", "cpu").clone()
    mine.add_weight_wrapper("0.weight", lambda weight: weight * 3)
    x = torch.ones(1, 2)
    mine.patch_model("cpu")
    assert torch.equal(layer(x), x * 3)
    mine.unpatch_model("cpu")
    assert torch.equal(layer(x), x)
