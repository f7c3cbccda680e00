import pytest
import torch

from engine.devices.device import Devices, choose
from engine.devices.memory import free, is_out_of_memory, readable
from engine.settings import Settings

GPU = Devices(main=torch.device("cuda"), vae=torch.device("cuda"), half=(torch.float16, torch.bfloat16))
OLD_GPU = Devices(main=torch.device("cuda"), vae=torch.device("cuda"), half=())
MAC = Devices(main=torch.device("mps"), vae=torch.device("mps"), half=(torch.float16,))


def test_a_cpu_computes_everything_in_float32():
    devices = choose(Settings(cpu=True))
    places = [devices.place(kind, torch.float16) for kind in ("network", "text", "vae")]
    assert {(place.device.type, place.dtype) for place in places} == {("cpu", torch.float32)}


@pytest.mark.parametrize(
    ("devices", "stored", "network", "vae"),
    [
        (GPU, torch.float16, torch.float16, torch.bfloat16),
        (GPU, torch.float32, torch.float16, torch.bfloat16),
        (GPU, torch.bfloat16, torch.bfloat16, torch.bfloat16),
        (OLD_GPU, torch.float16, torch.float32, torch.float32),
        (MAC, torch.bfloat16, torch.float16, torch.float32),
    ],
)
def test_a_gpu_computes_in_half_precision_where_that_is_safe(devices, stored, network, vae):
    assert devices.place("network", stored).dtype == network
    assert devices.place("vae", stored).dtype == vae
    assert devices.place("text", stored).dtype == torch.float32


def test_precision_options_are_obeyed():
    devices = choose(Settings(cpu=True, precision="fp32", unet_precision="bf16", vae_precision="fp16"))
    assert devices.place("network").dtype == torch.bfloat16
    assert devices.place("vae").dtype == torch.float16
    assert choose(Settings(cpu=True, precision="fp16")).place("network").dtype == torch.float16
    assert choose(Settings(cpu=True, precision="fp16")).place("vae").dtype == torch.float32


def test_little_memory_means_that_parts_do_not_stay():
    assert choose(Settings(cpu=True)).keeps
    assert not choose(Settings(cpu=True, memory="lowvram")).keeps


def test_memory_options_say_how_much_of_a_model_waits_on_the_device():
    usual = choose(Settings(cpu=True))
    assert (usual.budget, usual.share) == (None, 1.0)
    assert choose(Settings(cpu=True, memory="lowvram")).share == 0.5
    assert choose(Settings(cpu=True, memory="novram", model_memory=5)).budget == 0
    assert choose(Settings(cpu=True, memory="highvram", model_memory=5)).budget == 5


def test_weights_may_rest_in_eight_bits():
    devices = choose(Settings(cpu=True, unet_storage="fp8_e4m3fn", text_storage="fp8_e5m2"))
    assert (devices.network_storage, devices.text_storage) == (torch.float8_e4m3fn, torch.float8_e5m2)
    assert devices.place("network", torch.float8_e4m3fn).dtype == torch.float32
    assert GPU.place("network", torch.float8_e4m3fn).dtype == torch.float16


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_running_out_of_memory_is_recognised(error):
    assert is_out_of_memory(error)


def test_a_real_failed_allocation_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_other_errors_are_not_taken_for_it():
    assert not is_out_of_memory(RuntimeError("shape '[2]' is invalid"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_free_memory_of_this_machine_is_a_sensible_number():
    assert 0 < free(torch.device("cpu")) < 1 << 50


def test_sizes_are_written_as_people_say_them():
    assert [readable(n) for n in (576, 2048, 5 << 20, 3 << 30)] == ["576 bytes", "2.0 KiB", "5.0 MiB", "3.0 GiB"]
