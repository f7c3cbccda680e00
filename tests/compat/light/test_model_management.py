"""comfy.model_management: devices, formats, memory, what is loaded, and stopping."""

import gc
import weakref
from typing import Any

import psutil
import pytest
import torch
from torch import nn

import main
from compat.host import Host, Work
from compat.machine.room import free
from engine.devices import memory
from engine.errors import Cancelled
from engine.graph.prompt import Prompt
from engine.graph.run import Run
from tests.compat import graphs

CPU = torch.device("cpu")


@pytest.fixture
def management(host: Host):
    import comfy.model_management

    comfy.model_management.current_loaded_models.clear()
    yield comfy.model_management
    comfy.model_management.current_loaded_models.clear()


class Patcher:
    """What load_models_gpu needs of a patcher, over a network of so many bytes."""

    def __init__(self, size: int = 400, companions: tuple["Patcher", ...] = (), model: nn.Module | None = None) -> None:
        self.model = model or nn.Linear(size // 4, 1, bias=False)
        self.load_device = self.offload_device = CPU
        self.companions = companions
        self.loaded = 0
        self.calls: list[object] = []

    def model_size(self) -> int:
        return self.model.weight.nbytes

    def loaded_size(self) -> int:
        return self.loaded

    def current_loaded_device(self) -> torch.device:
        return CPU

    def model_patches_models(self) -> tuple["Patcher", ...]:
        return self.companions

    def is_clone(self, other: "Patcher") -> bool:
        return self.model is other.model

    def partially_load(self, device, extra_memory=0, force_patch_weights=False) -> int:
        self.calls.append(("load", device, force_patch_weights))
        self.loaded = min(self.model_size(), self.loaded + int(extra_memory))
        return self.loaded

    def partially_unload(self, device, memory_to_free=0) -> int:
        freed = min(self.loaded, int(memory_to_free)) // 2  # half of it cannot leave alone
        self.loaded -= freed
        return freed

    def detach(self, unpatch_all: bool = True) -> None:
        self.calls.append("detach")
        self.loaded = 0


# ------------------------------------------------------------------------------------------------------------ devices


def test_devices_are_the_engines(management, host: Host):
    assert management.get_torch_device() == host.loader.devices.main == CPU
    assert management.vae_device() == host.loader.devices.vae
    for name in ("unet_offload_device", "text_encoder_device", "text_encoder_offload_device", "vae_offload_device"):
        assert getattr(management, name)() == CPU
    assert management.intermediate_device() == CPU
    assert management.get_torch_device_name(CPU) == "cpu"
    assert management.get_autocast_device(CPU) == "cpu"
    assert management.get_all_torch_devices() == [CPU]
    assert management.get_all_torch_devices(exclude_current=True) == []


def test_kinds_of_devices_are_told_apart(management):
    meta, cuda, mps = (torch.device(each) for each in ("meta", "cuda", "mps"))
    assert [management.is_device_cpu(each) for each in (CPU, cuda)] == [True, False]
    assert [management.is_device_cuda(each) for each in (cuda, meta)] == [True, False]
    assert [management.is_device_mps(each) for each in (mps, CPU)] == [True, False]
    assert not any((management.is_nvidia(), management.is_intel_xpu(), management.is_directml_enabled()))
    assert management.cpu_state is management.CPUState.CPU
    assert management.vram_state is management.VRAMState.DISABLED
    assert [each.value for each in management.VRAMState] == [0, 1, 2, 3, 4, 5]


def test_attention_is_torchs(management):
    assert management.pytorch_attention_enabled()
    asked = (management.xformers_enabled(), management.sage_attention_enabled(), management.flash_attention_enabled())
    assert asked == (False, False, False)


def test_a_replaced_device_is_what_the_module_answers(management, monkeypatch):
    monkeypatch.setattr(management, "get_torch_device", lambda: torch.device("meta"))
    assert management.text_encoder_device() == torch.device("meta")


def test_what_reaches_deeper_is_named(management):
    with pytest.raises(AttributeError, match=r"comfy\.model_management\.pin_everything"):
        _ = management.pin_everything
    assert not hasattr(management, "unet_dtype_orig")


# ----------------------------------------------------------------------------------------------------- number formats


def test_a_cpu_computes_in_float32(management):
    assert management.unet_dtype() == torch.float32
    assert management.unet_dtype(device=CPU, model_params=10**9, weight_dtype=torch.float16) == torch.float32
    assert management.unet_dtype(supported_dtypes=[torch.bfloat16]) == torch.bfloat16
    assert management.vae_dtype() == management.vae_dtype(CPU, [torch.bfloat16]) == torch.float32
    assert management.text_encoder_dtype() == torch.float32
    assert not management.should_use_fp16()
    assert not management.should_use_bf16(CPU)


def test_weights_in_other_formats_are_cast_when_used(management):
    assert management.unet_manual_cast(torch.float32, CPU) is None
    assert management.unet_manual_cast(torch.float16, CPU) == torch.float32
    assert management.unet_manual_cast(torch.float8_e4m3fn, CPU, [torch.float16, torch.float32]) == torch.float32


def test_a_gpu_computes_in_its_half_formats(management, host: Host, monkeypatch):
    from engine.devices.device import Devices

    gpu = Devices(main=torch.device("cuda", 0), vae=torch.device("cuda", 0), half=(torch.float16, torch.bfloat16))
    monkeypatch.setattr(host.loader, "devices", gpu)
    assert management.get_torch_device() == torch.device("cuda", 0)
    assert management.unet_offload_device() == CPU
    assert management.unet_dtype(weight_dtype=torch.bfloat16) == torch.bfloat16
    assert management.unet_manual_cast(torch.float16, gpu.main) is None
    assert management.unet_manual_cast(torch.float8_e4m3fn, gpu.main) == torch.float16
    assert management.vae_dtype() == torch.bfloat16
    assert management.should_use_fp16(gpu.main)
    assert not management.should_use_fp16(CPU)


def test_sizes_are_bytes(management):
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    assert management.module_size(net) == (16 + 4 + 4 * 4) * 4 + 8
    assert [management.dtype_size(each) for each in (torch.float32, torch.float16, torch.float8_e5m2)] == [4, 2, 1]
    assert management.pick_weight_dtype(None, torch.float16, CPU) == torch.float16
    assert management.pick_weight_dtype(torch.float32, torch.float16, CPU) == torch.float16
    assert management.pick_weight_dtype(torch.float8_e5m2, torch.float16, CPU) == torch.float8_e5m2


def test_casts_copy_only_when_needed(management):
    x = torch.rand(3)
    assert management.cast_to(x) is x
    assert management.cast_to(x, copy=True) is not x
    assert management.cast_to(x, torch.float16).dtype == torch.float16
    assert management.cast_to_device(x, CPU, torch.float32) is x
    assert management.cast_to_device(x, torch.device("meta"), torch.bfloat16).device.type == "meta"


# ------------------------------------------------------------------------------------------------------------- memory


def test_memory_is_what_the_system_says(management):
    assert management.get_total_memory(CPU) == psutil.virtual_memory().total
    free = management.get_free_memory()
    assert abs(free - psutil.virtual_memory().available) < 2 << 30
    pair = management.get_free_memory(CPU, torch_free_too=True)
    assert len(pair) == 2
    assert management.minimum_inference_memory() > management.extra_reserved_memory() >= 0
    management.soft_empty_cache()
    management.soft_empty_cache(True)
    management.cleanup_models_gc()


def test_patchers_and_their_companions_are_brought(management):
    control = Patcher()
    model = Patcher(companions=(control,))
    management.load_models_gpu([model], memory_required=10, force_patch_weights=True)
    assert model.calls == control.calls == [("load", CPU, True)]
    assert model.loaded == control.loaded == 400
    assert set(management.loaded_models()) == {model, control}
    other = Patcher()
    management.load_model_gpu(other)
    assert management.loaded_models(only_currently_used=True) == [other]
    assert management.loaded_models()[0] is other
    assert management.current_loaded_models[0].model_memory() == 400


def test_a_clone_takes_the_place_of_the_patcher_it_was_made_from(management):
    first = Patcher()
    management.load_model_gpu(first)
    clone = Patcher(model=first.model)
    management.load_model_gpu(clone)
    assert management.loaded_models() == [clone]


def test_room_is_made_by_the_one_unused_for_longest(management, monkeypatch):
    old, kept, new = Patcher(), Patcher(), Patcher()
    for each in (old, kept, new):
        management.load_model_gpu(each)
    free = [1000]
    monkeypatch.setattr(memory, "free", lambda device: free[0] + 400 * (3 - len(management.current_loaded_models)))
    left = management.free_memory(1400, CPU, keep_loaded=[management.current_loaded_models[1]])
    assert [each.model for each in left] == [old]
    assert old.loaded == 0
    left = management.free_memory(1800, CPU, keep_loaded=[kept])
    assert [each.model for each in left] == [new]
    assert management.loaded_models() == [kept]


def test_the_keeper_asks_patchers_that_nobody_uses_to_leave(management, host: Host, monkeypatch):
    idle, used = Patcher(), Patcher()
    management.load_model_gpu(idle)
    management.load_model_gpu(used)
    monkeypatch.setattr(memory, "free", lambda device: 1000 - 400 * len(management.current_loaded_models))
    monkeypatch.setattr(host.loader.keeper, "_free", memory.free)
    monkeypatch.setattr(host.loader.keeper, "reserve", 0)
    host.loader.keeper.free_room(CPU, 10_000)
    assert management.loaded_models() == [used]


def test_everything_can_be_sent_away(management, host: Host):
    model = Patcher()
    management.load_model_gpu(model)
    vae = host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors")).vae
    vae.decode(torch.zeros(1, 4, 2, 2))
    assert host.loader.keeper.here()
    management.unload_all_models()
    assert (management.loaded_models(), host.loader.keeper.here(), model.loaded) == ([], [], 0)


def test_clones_of_a_patcher_can_be_sent_away(management):
    first, other = Patcher(), Patcher()
    management.load_models_gpu([first, other])
    assert management.unload_model_clones(Patcher(model=first.model))
    assert management.loaded_models() == [other]


def drawn(host: Host) -> tuple[Any, Any]:
    """Draws in ComfyUI's way. Returns: weakly, the denoiser's patcher and network from the list of loaded models."""
    import comfy.model_management

    host.engine.executor.execute(Prompt.from_json(graphs.drawing()), targets=["4"]).check()
    (entry,) = [
        each for each in comfy.model_management.current_loaded_models if hasattr(each.real_model, "apply_model")
    ]
    return weakref.ref(entry.model), weakref.ref(entry.real_model.diffusion_model)


def test_a_drawing_leaves_nothing_behind_once_memory_is_freed(management, host: Host, monkeypatch):
    import comfy.sample

    ours = comfy.sample.sample
    monkeypatch.setattr(comfy.sample, "sample", lambda *args, **options: ours(*args, **options))
    patcher, network = drawn(host)
    held = [patcher(), network()]
    assert None not in held
    assert host.loader.keeper.here()
    free(unload_models=True, free_memory=False)
    assert host.loader.keeper.here() == []
    assert management.current_loaded_models == []
    held.clear()
    free(unload_models=True, free_memory=True)
    assert (patcher(), network()) == (None, None)


def test_the_list_keeps_no_network_alive_and_is_cleared_between_prompts(management, host: Host):
    model = Patcher()
    kept, gone = Patcher(), weakref.ref(model.model)
    with host.working(Work("1")):
        management.load_models_gpu([model, kept])
    assert len(management.current_loaded_models) == 2
    with host.working(Work("2")):
        del model
        gc.collect()
        assert gone() is None
        (dead,) = [each for each in management.current_loaded_models if each.is_dead()]
        assert (dead.model, dead.real_model, dead.model_memory(), dead.model_unload()) == (None, None, 0, True)
        assert management.loaded_models() == [kept]
        assert management.free_memory(1 << 62, CPU, keep_loaded=[kept]) == []
    assert [each.model for each in management.current_loaded_models] == [kept]
    freeing = main._freeing(host.engine, plugins=object())  # type: ignore[arg-type]
    freeing(False, False)
    assert kept.loaded == 400
    freeing(True, False)
    assert (kept.loaded, management.current_loaded_models) == (0, [])


def test_a_patcher_stands_for_its_clone_that_is_gone(management):
    from comfy.model_patcher import ModelPatcher

    patcher = ModelPatcher(nn.Linear(4, 4), CPU, CPU)
    clone = patcher.clone()
    clone.add_patches({"weight": (torch.ones(4, 4),)})
    plain = patcher.model.weight.clone()
    management.load_model_gpu(clone)
    assert not torch.equal(patcher.model.weight, plain)
    del clone
    gc.collect()
    (entry,) = management.current_loaded_models
    assert entry.model is patcher
    assert entry.model_unload()
    assert torch.equal(patcher.model.weight, plain)
    management.cleanup_models()
    assert management.current_loaded_models == []


def test_a_network_that_only_its_user_holds_is_left_alone(management):
    model = nn.Linear(100, 1, bias=False)
    management.load_model_gpu(Patcher(model=model))
    gc.collect()
    (entry,) = management.current_loaded_models
    assert entry.is_dead()
    assert entry.real_model is model
    again = Patcher(model=model)
    management.load_model_gpu(again)
    assert [each.model for each in management.current_loaded_models] == [again]
    assert management.unload_model_clones(Patcher(model=model))


# -------------------------------------------------------------------------------------------------------- interrupting


def test_a_plugins_wish_to_stop_is_spent_by_stopping(management):
    management.interrupt_current_processing()
    assert management.processing_interrupted()
    with pytest.raises(management.InterruptProcessingException):
        management.throw_exception_if_processing_interrupted()
    assert not management.processing_interrupted()
    management.throw_exception_if_processing_interrupted()


def test_a_users_wish_to_stop_is_the_runs(management, host: Host):
    assert management.InterruptProcessingException is Cancelled
    with host.node(Run("1", lambda event: None, lambda: True)):
        assert management.processing_interrupted()
        with pytest.raises(Cancelled):
            management.throw_exception_if_processing_interrupted()


def test_a_full_device_is_told_from_other_errors(management):
    full = management.OOM_EXCEPTION("CUDA out of memory")
    management.raise_non_oom(full)
    with pytest.raises(ValueError, match="other"):
        management.raise_non_oom(ValueError("other"))
