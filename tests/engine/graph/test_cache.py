"""The cache with a storage of its own kind: values say how large they are and on which floor they lie."""

import json
import threading
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.graph.cache import OVERHEAD, Budgets, Cache, Entry


@dataclass(frozen=True)
class Block:
    """Stands for a tensor: so many bytes, on the GPU or in RAM."""

    name: str
    size: int
    on_gpu: bool = False
    is_plain: bool = True


class Blocks:
    """A storage for Blocks; writes them as JSON."""

    def __init__(self):
        self.moves = []

    def size(self, value):
        found = [each for slot in value[0] for each in slot]
        return sum(b.size for b in found if b.on_gpu), sum(b.size for b in found if not b.on_gpu)

    def to_ram(self, value):
        home = [[each.on_gpu for each in slot] for slot in value]
        return tuple([replace(each, on_gpu=False) for each in slot] for slot in value), home

    def to_home(self, value, home):
        if home is None:
            return value
        slots = zip(value, home, strict=True)
        return tuple([replace(b, on_gpu=h) for b, h in zip(s, hs, strict=True)] for s, hs in slots)

    def save(self, value, path):
        blocks = [each for slot in value["outputs"] for each in slot]
        if not all(each.is_plain for each in blocks):
            return False
        outputs = [[[b.name, b.size, b.on_gpu] for b in slot] for slot in value["outputs"]]
        padding = "x" * sum(each.size for each in blocks)
        path.write_text(json.dumps({"outputs": outputs, "home": value["home"], "padding": padding}))
        return True

    def load(self, path):
        stored = json.loads(path.read_text())
        return {**stored, "outputs": [[Block(*each) for each in slot] for slot in stored["outputs"]]}

    def fingerprint(self, value):
        return None


def entry(*blocks):
    return Entry((list(blocks),))


def ram(name, size=1000, **kwargs):
    return entry(Block(name, size, **kwargs))


def gpu(name, size=1000):
    return entry(Block(name, size, on_gpu=True))


def cache_of(gpu=0, ram=0, disk=0, folder=None, **options):
    return Cache(Budgets(gpu, ram, disk, folder), Blocks(), **options)


def test_what_is_put_is_got_and_the_rest_is_not():
    cache = cache_of(ram=10_000)
    cache.put("a", ram("a"))
    assert cache.get("a") == ram("a")
    assert cache.get("b") is None
    assert "a" in cache
    assert "b" not in cache
    assert cache.used["ram"] == 1000 + OVERHEAD
    assert len(cache) == 1


def test_the_least_recently_used_leaves_first():
    cache = cache_of(ram=3 * (1000 + OVERHEAD))
    for name in "abc":
        cache.put(name, ram(name))
    cache.get("a")
    cache.put("d", ram("d"))
    assert [name for name in "abcd" if name in cache] == ["a", "c", "d"]


def test_putting_the_same_again_replaces_it():
    cache = cache_of(ram=10_000)
    cache.put("a", ram("a", 5000))
    cache.put("a", ram("a", 100))
    assert cache.used["ram"] == 100 + OVERHEAD


def test_what_is_larger_than_the_budget_is_not_kept_and_throws_nothing_out():
    cache = cache_of(ram=5000)
    cache.put("a", ram("a"))
    cache.put("big", ram("big", 5000))
    assert "big" not in cache
    assert "a" in cache


def test_a_closed_cache_keeps_nothing():
    cache = cache_of()
    cache.put("a", entry())
    assert cache.get("a") is None


def test_what_leaves_the_gpu_goes_to_ram_and_comes_back_where_it_was():
    cache = cache_of(gpu=2500, ram=20_000)
    for name in "abc":
        cache.put(name, gpu(name))
    assert cache.used["gpu"] == 2000
    assert cache.used["ram"] == 1000 + 3 * OVERHEAD
    assert cache.get("a") == gpu("a")
    assert cache.used["gpu"] == 2000


def test_what_leaves_ram_goes_to_disk_and_is_found_there(tmp_path):
    cache = cache_of(ram=2500, disk=100_000, folder=tmp_path)
    for name in "abc":
        cache.put(name, ram(name))
    assert len(cache) == 3
    assert cache.get("a") == ram("a")


def test_from_the_gpu_to_the_disk_and_back(tmp_path):
    cache = cache_of(gpu=1500, ram=4500, disk=100_000, folder=tmp_path)
    for name in "abcdef":
        cache.put(name, gpu(name))
    for name in "abcdef":
        assert cache.get(name) == gpu(name)


def test_values_that_cannot_be_written_are_dropped_below_ram(tmp_path):
    cache = cache_of(ram=2500, disk=100_000, folder=tmp_path)
    cache.put("a", ram("a", is_plain=False))
    cache.put("b", ram("b"))
    assert cache.get("a") is None
    assert [*tmp_path.iterdir()] == []


def test_entries_that_mean_nothing_later_are_not_written(tmp_path):
    cache = cache_of(ram=2500, disk=100_000, folder=tmp_path)
    cache.put("a", ram("a"), to_disk=False)
    cache.put("b", ram("b"))
    cache.flush()
    assert [path.name[0] for path in tmp_path.iterdir()] == ["b"]


def test_the_disk_is_found_by_the_next_process(tmp_path):
    cache = cache_of(ram=20_000, disk=100_000, folder=tmp_path)
    cache.put("a", ram("a"))
    cache.put("g", gpu("g"))
    cache.flush()
    later = cache_of(gpu=20_000, ram=20_000, disk=100_000, folder=tmp_path)
    assert later.get("a") == ram("a")
    assert later.get("g") == gpu("g")


def test_what_took_long_is_written_at_once(tmp_path):
    cache = cache_of(ram=20_000, disk=100_000, folder=tmp_path, write_after=2.0)
    cache.put("quick", ram("quick"), seconds=0.1)
    cache.put("slow", ram("slow"), seconds=3.0)
    assert [path.name.rpartition("-")[0] for path in tmp_path.iterdir()] == ["slow"]


def test_room_can_be_made_for_others():
    cache = cache_of(gpu=10_000, ram=50_000)
    for name in "abc":
        cache.put(name, gpu(name))
    assert cache.make_room_on_gpu(1500) == 2000
    assert cache.used["gpu"] == 1000
    assert len(cache) == 3
    assert cache.make_room_in_ram(1) > 0
    assert len(cache) == 2


def test_clearing_forgets_everything(tmp_path):
    cache = cache_of(gpu=5000, ram=5000, disk=5000, folder=tmp_path)
    cache.put("a", ram("a"))
    cache.put("b", gpu("b"))
    cache.flush()
    cache.clear()
    assert cache.used["gpu"] == cache.used["ram"] == 0
    assert len(cache) == 2  # on disk
    cache.clear(disk=True)
    assert len(cache) == 0
    assert [*tmp_path.iterdir()] == []


def test_many_gpu_entries_fill_the_ram_without_recursion():
    cache = cache_of(gpu=10**9, ram=3000 * OVERHEAD)
    for i in range(3000):
        cache.put(str(i), gpu(str(i), 10))
    cache.put("large", ram("large", 2000 * OVERHEAD))
    assert "large" in cache
    assert cache.used["ram"] <= 3000 * OVERHEAD


def test_threads_may_use_it_at_once(tmp_path):
    cache = cache_of(gpu=5000, ram=8000, disk=20_000, folder=tmp_path)
    wrong = []

    def work(seed):
        for i in range(150):
            name = f"{(i * seed) % 17}"
            cache.put(name, gpu(name) if i % 2 else ram(name))
            found = cache.get(f"{(i + seed) % 17}")
            if found is not None and found.outputs[0][0].name != f"{(i + seed) % 17}":
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 5, 7)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
    assert cache.used["gpu"] <= 5000
    assert cache.used["ram"] <= 8000


class AnyHistory(RuleBasedStateMachine):
    """Whatever is done with a cache: never over budget, never a wrong value, and its books are right."""

    def __init__(self):
        super().__init__()
        self.cache = cache_of(gpu=3000, ram=7000)
        self.known = {}

    @rule(
        name=st.sampled_from("abcdefgh"),
        on_gpu=st.integers(0, 4000),
        in_ram=st.integers(0, 8000),
        plain=st.booleans(),
    )
    def put(self, name, on_gpu, in_ram, plain):
        blocks = [Block(name, in_ram, is_plain=plain)]
        if on_gpu:
            blocks.append(Block(name, on_gpu, on_gpu=True))
        self.known[name] = entry(*blocks)
        self.cache.put(name, self.known[name])

    @rule(name=st.sampled_from("abcdefgh"))
    def get(self, name):
        found = self.cache.get(name)
        assert found is None or found == self.known[name]

    @rule(size=st.integers(0, 4000))
    def make_room(self, size):
        before = self.cache.used["gpu"]
        left = self.cache.make_room_on_gpu(size)
        assert self.cache.used["gpu"] == before - left
        assert left >= min(size, before)

    @rule()
    def clear(self):
        self.cache.clear()
        assert len(self.cache) == 0

    @invariant()
    def is_within_its_budgets_and_counts_right(self):
        used = self.cache.used
        assert 0 <= used["gpu"] <= 3000
        assert 0 <= used["ram"] <= 7000
        kept = [*self.cache._gpu.kept.values(), *self.cache._ram.kept.values()]
        assert used["gpu"] == sum(each.size.gpu for each in kept)
        assert used["ram"] == sum(each.size.ram for each in kept)
        assert all(self.cache._measure(each.entry) == each.size for each in kept)


AnyHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyHistory = AnyHistory.TestCase


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 3000), st.booleans()), max_size=25))
def test_with_a_disk_too_no_floor_is_ever_over_budget(tmp_path_factory, history):
    folder = tmp_path_factory.mktemp("cache")
    cache = cache_of(gpu=2000, ram=4000, disk=6000, folder=folder)
    for name, size, on_gpu in history:
        cache.put(name, gpu(name, size) if on_gpu else ram(name, size))
        cache.get("a")
        assert cache.used["gpu"] <= 2000
        assert cache.used["ram"] <= 4000
        assert sum(path.stat().st_size for path in folder.iterdir()) == cache.used["disk"] <= 6000


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_damaged_files_are_ignored_and_removed(tmp_path, damage):
    cache = cache_of(ram=20_000, disk=100_000, folder=tmp_path)
    cache.put("a", ram("a"))
    cache.flush()
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        flipped = data[:50] + bytes([data[50] ^ 1]) + data[51:]
        path.write_bytes({"cut": data[:-3], "flip": flipped, "empty": b""}[damage])
    later = cache_of(ram=20_000, disk=100_000, folder=tmp_path)
    assert later.get("a") is None
    assert "a" not in later
    assert [*tmp_path.iterdir()] == []


def test_what_is_unwanted_is_dropped_and_the_rest_stays_and_counts():
    cache = Cache(Budgets(gpu=10_000, ram=10_000), Blocks())
    for name, on_gpu in (("a", False), ("b", True), ("c", False)):
        cache.put(name, Entry(([Block(name, 100, on_gpu)],)))
    cache.drop(lambda entry: entry.outputs[0][0].name in "ab")
    assert [name for name in "abc" if name in cache] == ["c"]
    assert cache.used == {"gpu": 0, "ram": 100 + OVERHEAD, "disk": 0}
