"""Sizes, moves and files of values with tensors; the meta device stands for a GPU where none is."""

import sys
from collections import namedtuple

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from engine.devices.device import Place
from engine.devices.residency import Part
from engine.devices.storage import TensorStorage
from engine.graph.cache import Budgets, Cache, Entry
from engine.graph.executor import Executor
from engine.graph.nodetype import Input, NodeType, Output, Result
from engine.graph.prompt import Prompt

storage = TensorStorage()
BASE = storage.size([])[1]
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)


def bytes_of(value):
    gpu, ram = storage.size(value)
    return gpu, ram


def alike(first, second):
    """Equal in kind, structure and every number."""
    if type(first) is not type(second):
        return False
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(alike, first, second))
    if isinstance(first, dict):
        return [*first] == [*second] and all(alike(first[key], second[key]) for key in first)
    return first == second


TENSORS = st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=3)).map(
    lambda made: torch.zeros(made[1], dtype=made[0]) + (1 if made[0] == torch.bool else 3)
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers()), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_a_tensor_counts_its_bytes():
    assert storage.size(torch.zeros(10, 10))[1] == 400
    more = storage.size({"samples": torch.zeros(1, 4, 8, 8)})[1] - storage.size({"samples": None})[1]
    assert 1000 <= more < 1030


def test_shared_memory_counts_once_and_a_view_counts_all_it_keeps_alive():
    tensor = torch.zeros(1000)
    assert storage.size([tensor, tensor, tensor[:10], tensor.view(10, 100)])[1] < 4000 + 500
    assert storage.size([tensor[:1]])[1] >= 4000


def test_models_arrays_and_pictures_are_looked_into():
    class Model:
        def __init__(self):
            self.network = nn.Linear(100, 100, bias=False)
            self.same = self.network.weight

    assert 40_000 <= storage.size([Model()])[1] < 42_000
    assert storage.size(numpy.zeros((10, 10)))[1] == 800
    assert 300 <= storage.size(Image.new("RGB", (10, 10)))[1] < 1000
    assert storage.size(nn.Linear(10, 10, bias=False))[1] >= 400


def test_an_object_that_knows_its_bytes_is_believed():
    class Handle:
        nbytes = 12_345

    assert storage.size(Handle())[1] == 12_345


def test_a_networks_weights_are_its_keepers_business_and_not_the_caches():
    place = Place(torch.device("cpu"), torch.float32)
    part = Part("net", nn.Linear(100, 100, bias=False, device="meta"), {"weight": torch.zeros(100, 100)}, place)
    assert storage.size([part])[1] < 1000


def test_a_large_vocabulary_is_estimated_and_a_large_list_of_tensors_is_not():
    words = {f"word {i:06}": i for i in range(50_000)}
    exact = sys.getsizeof(words) + sum(sys.getsizeof(key) + sys.getsizeof(value) for key, value in words.items())
    assert storage.size(words)[1] == pytest.approx(exact, rel=0.05)
    assert storage.size([torch.zeros(1) for _ in range(2000)])[1] >= 8000


def test_loops_and_odd_objects_do_no_harm():
    loop = []
    loop.append(loop)
    slotted = namedtuple("Pair", "a b")(torch.zeros(10), object())
    assert storage.size([loop, slotted, type, len, storage.size])[1] > 40


@settings(max_examples=80, deadline=None)
@given(PLAIN)
def test_plain_values_are_written_and_read_back_the_same(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("storage") / "value"
    assert storage.save(value, path)
    assert alike(storage.load(path), value)


def test_views_strides_and_shared_tensors_survive_a_file(tmp_path):
    tensor = torch.arange(24.0).reshape(2, 3, 4)
    value = {"whole": tensor, "view": tensor[:, 1], "turned": tensor.transpose(0, 2), "again": tensor}
    assert storage.save(value, tmp_path / "v")
    read = storage.load(tmp_path / "v")
    assert alike(read, value)
    assert read["whole"] is read["again"]


@pytest.mark.parametrize(
    "value",
    [object(), nn.Linear(2, 2), [torch.zeros(2, requires_grad=True)], {"a": {1, 2}}, torch.zeros(2).to_sparse(), b"x"],
)
def test_what_is_not_plain_is_not_written(tmp_path, value):
    assert not storage.save([value], tmp_path / "v")
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 64])
def test_a_file_that_is_no_value_says_so(tmp_path, data):
    path = tmp_path / "v"
    path.write_bytes(data)
    with pytest.raises((ValueError, OSError)):
        storage.load(path)
    with pytest.raises((ValueError, OSError)):
        storage.load(tmp_path / "absent")


def test_fingerprints_differ_by_contents_kind_and_shape():
    values = [
        torch.zeros(4), torch.ones(4), torch.zeros(2, 2), torch.zeros(4, dtype=torch.float16),
        torch.zeros(4, dtype=torch.bfloat16), torch.zeros(0), torch.zeros(0, 2), numpy.zeros(4),
    ]  # fmt: skip
    assert len({storage.fingerprint(each) for each in values}) == len(values)
    assert storage.fingerprint(torch.arange(6).reshape(2, 3).T) == storage.fingerprint(
        torch.arange(6).reshape(2, 3).T.contiguous()
    )
    assert storage.fingerprint(object()) is None


def test_values_without_anything_on_a_gpu_are_not_copied_to_ram():
    value = [{"samples": torch.zeros(2)}, (1, "x")]
    moved, home = storage.to_ram(value)
    assert moved is value
    assert storage.to_home(moved, home) is value


def test_each_tensor_goes_back_to_its_own_device_and_shared_ones_stay_shared():
    first, second = torch.zeros(2), torch.ones(3)
    back = storage.to_home({"a": [first, second], "b": (first, "text")}, ["meta", "cpu", "meta"])
    assert back["a"][0].device.type == "meta"
    assert back["a"][1] is second
    assert back["b"][0] is back["a"][0]
    assert back["b"][1] == "text"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_no_longer_there_leaves_the_value_in_ram():
    value = [torch.zeros(2)]
    assert storage.to_home(value, ["cuda:0"]) is value


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_values_go_to_ram_and_come_home():
    value = {"samples": torch.arange(10.0, device="cuda"), "mask": torch.zeros(3), "list": [torch.ones(2).cuda()]}
    assert storage.size(value)[0] >= 48
    moved, home = storage.to_ram(value)
    assert storage.size(moved)[0] == 0
    assert value["samples"].is_cuda
    back = storage.to_home(moved, home)
    assert back["samples"].is_cuda
    assert not back["mask"].is_cuda
    assert alike({k: v for k, v in back.items() if k == "samples"}, {"samples": value["samples"]})


def latent_types(calls):
    def make(seed):
        calls.append(seed)
        return {"samples": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))}

    def spoil(latent):
        latent["samples"].mul_(2)
        return latent

    latent = (Output("LATENT", "LATENT"),)
    wire = (Input("latent", "LATENT"),)
    return {
        "Make": NodeType("Make", make, (Input("seed", "INT"),), latent),
        "Spoil": NodeType("Spoil", spoil, wire, latent),
        "Mean": NodeType(
            "Mean", lambda latent: Result(ui={"m": [float(latent["samples"].mean())]}), wire, is_output=True
        ),
    }


def latent_prompt(through=None):
    nodes = {"1": {"class_type": "Make", "inputs": {"seed": 5}}}
    if through:
        nodes["2"] = {"class_type": through, "inputs": {"latent": ["1", 0]}}
    nodes["3"] = {"class_type": "Mean", "inputs": {"latent": ["2" if through else "1", 0]}}
    return Prompt.from_json(nodes)


def test_tensors_outlive_the_process_in_the_caches_disk(tmp_path):
    calls = []
    budgets = Budgets(ram=1 << 20, disk=1 << 20, folder=tmp_path)
    cache = Cache(budgets, TensorStorage())
    first = Executor(latent_types(calls), cache).execute(latent_prompt(), targets=["1", "3"])
    cache.flush()
    later = Executor(latent_types(calls), Cache(budgets, TensorStorage())).execute(latent_prompt(), targets=["1", "3"])
    assert calls == [5]
    assert alike(first.values["1"], later.values["1"])
    assert first.ui == later.ui


def test_a_node_that_changes_a_tensor_in_place_is_caught():
    cache = Cache(Budgets(), TensorStorage())
    outcome = Executor(latent_types([]), cache, catch_mutation=True).execute(latent_prompt("Spoil"))
    assert outcome.status == "failed"
    assert outcome.failure.node == "2"
    assert "changed its input latent" in outcome.failure.message


def test_a_tensor_given_as_a_constant_is_part_of_the_signature():
    calls = []
    kinds = {
        "Show": NodeType("Show", lambda image: calls.append(1) or Result(), (Input("image", "IMAGE"),), is_output=True)
    }
    executor = Executor(kinds, Cache(Budgets(), TensorStorage()))
    prompt = Prompt.from_json({"1": {"class_type": "Show", "inputs": {"image": None}}})
    for tensor in (torch.zeros(3), torch.zeros(3), torch.ones(3)):
        executor.execute(prompt.with_input("1", "image", tensor))
    assert len(calls) == 2


def test_the_cache_keeps_an_entry_of_tensors():
    cache = Cache(Budgets(ram=10_000), TensorStorage())
    cache.put("a", Entry(([torch.zeros(1000)],)))
    assert cache.get("a") is not None
    assert cache.used["ram"] in range(5000, 6000)
