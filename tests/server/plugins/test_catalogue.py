"""What plugins offer, as the API knows it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from engine.folders import Folders
from server.plugins.catalogue import Catalogue, Pattern


def report(*, routes: Any = (), handlers: int = 0, name: str = "pack") -> dict[str, Any]:
    serving = {"address": "unix:/nowhere", "secret": "s", "routes": [*routes]} if routes else {}
    record = {"name": name, "path": f"/custom_nodes/{name}", "state": "loaded", "nodes": [], "web": {name: "/web"}}
    return {"plugins": [record], "serving": serving, "handlers": handlers}


@pytest.mark.parametrize(
    ("parts", "path", "fits"),
    [
        (("/a",), "/a", True),
        (("/a",), "/a/", False),
        (("/a/", "/b"), "/a/x/b", True),
        (("/a/", "/b"), "/a/b", False),
        (("/a/", "/b/", ""), "/a/x/b/y", True),
        (("/a/", "/b/", ""), "/a/x/c/y", False),
        (("/a/", ""), "/a/x/y/z", True),
        (("/aa", "aa"), "/aa", False),
    ],
)
def test_a_pattern_knows_the_fixed_parts_of_a_path(parts: tuple[str, ...], path: str, fits: bool) -> None:
    assert Pattern(frozenset({"GET"}), parts).fits("GET", path) is fits
    assert Pattern(frozenset({"*"}), parts).fits("POST", path) is fits
    assert not Pattern(frozenset({"POST"}), parts).fits("GET", path)


def test_a_hard_pattern_is_decided_quickly() -> None:
    pattern = Pattern(frozenset({"GET"}), ("/", *["a"] * 50, "b"))
    began = time.perf_counter()
    assert not pattern.fits("GET", "/" + "a" * 8000)
    assert time.perf_counter() - began < 0.1


def test_a_prefix_ends_at_a_slash() -> None:
    pattern = Pattern(frozenset({"GET", "HEAD"}), ("/static",), is_prefix=True)
    assert pattern.fits("GET", "/static/a/b.js")
    assert pattern.fits("HEAD", "/static")
    assert not pattern.fits("GET", "/statics")


def test_what_is_below_api_may_be_known_without_it() -> None:
    async def look() -> None:
        catalogue = Catalogue()
        catalogue.take("worker-0", report(routes=[{"methods": ["GET"], "parts": ["/direct"]}]))
        [(_, serving)] = catalogue.serving()
        assert serving.path("GET", "/api/direct") == "/direct"
        assert serving.path("GET", "/direct") == "/direct"
        assert serving.path("HEAD", "/direct") == "/direct"
        assert serving.path("POST", "/direct") is None
        assert serving.path("GET", "/api/other") is None

    asyncio.run(look())


def test_kinds_of_model_folders_that_plugins_add_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.onnx").touch()
    folders = Folders(tmp_path)

    async def look() -> None:
        catalogue = Catalogue(adopt=folders.adopt)
        catalogue.take("worker-0", {**report(), "folders": {"faces": [[str(tmp_path / "faces")], [".onnx"]]}})
        catalogue.take("worker-1", report())

    asyncio.run(look())
    assert folders.list("faces") == ["a.onnx"]
    assert "checkpoints" in folders.kinds()


def test_the_worker_of_the_client_comes_first_and_one_that_is_gone_not_at_all() -> None:
    async def look() -> None:
        catalogue = Catalogue()
        routes = [{"methods": ["GET"], "parts": ["/x"]}]
        catalogue.take("worker-0", report(routes=routes))
        catalogue.take("worker-1", report(routes=routes, handlers=1))
        assert [worker for worker, _ in catalogue.serving("worker-1")] == ["worker-1", "worker-0"]
        assert [worker for worker, _ in catalogue.serving()] == ["worker-0", "worker-1"]
        assert catalogue.asked("worker-0") == "worker-1", "the other one has no handlers"
        catalogue.drop("worker-0")
        catalogue.drop("worker-1")
        assert [*catalogue.serving()] == []
        assert catalogue.asked() is None
        assert catalogue.answers_anything("/x")
        assert not catalogue.answers_anything("/y")
        assert [*catalogue.web()] == ["pack"], "files are served whether a worker is there or not"

    asyncio.run(look())


def test_a_report_that_is_none_does_no_harm() -> None:
    async def look() -> None:
        catalogue = Catalogue()
        catalogue.take("worker-0", {"plugins": 5, "serving": [], "handlers": None, "replacements": "x", "features": 1})
        assert (catalogue.plugins, catalogue.web(), catalogue.replacements, catalogue.features) == ((), {}, {}, {})

    asyncio.run(look())


def test_nobody_waits_where_nothing_can_be_expected() -> None:
    async def look() -> None:
        async with asyncio.timeout(5):
            await Catalogue(are_any=lambda: False).known()
            await Catalogue(why_not=lambda: "none starts").known()
            await Catalogue(patience=0.2).known()
            catalogue = Catalogue()
            waiting = asyncio.create_task(catalogue.known())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            catalogue.take("worker-0", report())
            await waiting

    asyncio.run(look())


def test_a_plugin_that_failed_when_it_was_imported_again_keeps_its_folders() -> None:
    async def look() -> None:
        catalogue = Catalogue()
        told = report()
        told["plugins"][0]["state"] = "failed"
        catalogue.take("worker-0", told)
        assert catalogue.web() == {"pack": Path("/web")}
        told["plugins"][0]["web"] = {}
        catalogue.take("worker-0", told)
        assert catalogue.folders() == {}

    asyncio.run(look())


def test_a_plugin_may_be_reported_or_lie_there_since() -> None:
    async def look() -> None:
        catalogue = Catalogue(is_there=lambda name: name == "new")
        catalogue.take("worker-0", report())
        assert [await catalogue.knows(name) for name in ("pack", "new", "none")] == [True, True, False]

    asyncio.run(look())
