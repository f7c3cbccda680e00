"""Plugins imported in this process: names, order, what counts as a node, and what is put back."""

import sys

from aiohttp import web

import nodes
from compat.host import Host
from compat.plugins import declared
from compat.plugins.modules import module_name
from compat.plugins.snapshot import Snapshot
from compat.prompt_server import PromptServer
from tests.compat.plugins.conftest import House, node


def test_a_package_has_the_name_that_its_path_gives_and_can_import_its_parts(house: House) -> None:
    house.write("my.pack/inner.py", "WORD = 'inside'")
    path = house.write(
        "my.pack/__init__.py", f"from .inner import WORD\nNAME = __name__\n{node('Mine', 'WORD')}"
    ).parent
    record = house.load()["my.pack"]
    assert (record["state"], record["nodes"]) == ("loaded", ["Mine"]), record
    name = module_name(path)
    assert "." not in name
    assert name.endswith("custom_nodes/my_x_pack")
    assert name == sys.modules[name].NAME
    assert nodes.NODE_CLASS_MAPPINGS["Mine"].RELATIVE_PYTHON_MODULE == "custom_nodes.my.pack"


def test_prestartup_scripts_run_before_any_plugin_is_imported(house: House) -> None:
    house.write("b/prestartup_script.py", "import builtins\nbuiltins.order = ['prestartup']")
    house.write("b/__init__.py", "order.append('b')")
    house.write("c/prestartup_script.py", "raise ValueError('no')")
    house.write("c/__init__.py", "order.append('c')")
    house.write("a.py", "order.append('a')")
    records = house.load()
    assert {each["state"] for each in records.values()} == {"loaded"}
    import builtins

    assert builtins.order == ["prestartup", "a", "b", "c"]  # type: ignore[attr-defined]
    del builtins.order  # type: ignore[attr-defined]


def test_a_built_in_node_that_yields_makes_room_for_a_plugins_and_comes_back(house: House) -> None:
    registry = house.host.registry
    ours = registry["IPAdapterAdvanced"]
    house.write("pack.py", node("IPAdapterAdvanced", "'theirs'"))
    record = house.load()["pack"]
    assert (record["nodes"], record["problems"]) == (["IPAdapterAdvanced"], [])
    assert registry["IPAdapterAdvanced"].python_module == "custom_nodes.pack"
    assert nodes.NODE_CLASS_MAPPINGS["IPAdapterAdvanced"].RELATIVE_PYTHON_MODULE == "custom_nodes.pack"
    assert registry["IPAdapterEncoder"].python_module == "nodes", "what the plugin does not have is ours"
    house.write("pack.py", "x = 1")
    house.plugins.reload("pack")
    assert registry["IPAdapterAdvanced"] is ours


def test_the_last_plugin_wins_and_built_in_nodes_stay_unless_written_by_hand(house: House) -> None:
    house.write("a.py", node("Twice", "'a'"))
    house.write("b.py", node("Twice", "'b'") + node("SaveImage").replace("NODE_CLASS_MAPPINGS =", "OTHER ="))
    house.write("c.py", "import nodes" + node("EmptyImage") + "nodes.NODE_CLASS_MAPPINGS['VAEDecode'] = EmptyImage\n")
    records = house.load()
    registry = house.host.registry
    assert records["a"]["nodes"] == []
    assert records["a"]["problems"] == [
        "node Twice: plugin b, which is imported later, has one of that name, which counts"
    ]
    assert records["b"]["nodes"] == ["Twice"]
    twice = registry["Twice"]
    assert twice.function is not None
    assert twice.python_module == "custom_nodes.b"
    assert registry["SaveImage"].python_module == "nodes"
    assert registry["VAEDecode"].python_module == "custom_nodes.c", "whoever writes there means it"
    house.write("c.py", "x = 1")
    assert house.plugins.reload("c") == {"plugins": ["c"]}
    assert registry["VAEDecode"].python_module == "nodes", "and when the plugin goes, ours is back"


def test_a_node_that_cannot_be_described_costs_only_itself(house: House) -> None:
    code = (
        node("Fine")
        + "class Broken:\n    pass\nNODE_CLASS_MAPPINGS['Broken'] = Broken\nNODE_CLASS_MAPPINGS['Five'] = 5\n"
    )
    house.write("half.py", code)
    record = house.load()["half"]
    assert record["state"] == "loaded"
    assert record["nodes"] == ["Fine"]
    assert [str(each).partition(":")[0] for each in record["problems"]] == ["node Broken", "node Five"]  # type: ignore[attr-defined]


def test_an_entry_point_gives_v3_nodes(house: House) -> None:
    house.write(
        "modern.py",
        """
        from comfy_api.latest import ComfyExtension, io
        loaded = []
        class Modern(io.ComfyNode):
            @classmethod
            def define_schema(cls):
                inputs, outputs = [io.Int.Input("a")], [io.Int.Output()]
                return io.Schema(node_id="Modern", category="test", inputs=inputs, outputs=outputs)
            @classmethod
            def execute(cls, a):
                return io.NodeOutput(a)
        class Extension(ComfyExtension):
            async def on_load(self):
                loaded.append(1)
            async def get_node_list(self):
                return [Modern]
        async def comfy_entrypoint():
            return Extension()
        """,
    )
    record = house.load()["modern"]
    assert (record["state"], record["nodes"], record["problems"]) == ("loaded", ["Modern"], []), record
    assert house.host.registry["Modern"].python_module == "custom_nodes.modern"
    name = module_name(house.host.folders.base / "custom_nodes" / "modern.py")
    assert sys.modules[name].loaded == [1]


def test_the_loop_runs_while_plugins_are_imported_and_lives_on(house: House) -> None:
    import asyncio

    house.write(
        "loops.py",
        """
        import asyncio, threading
        from server import PromptServer
        assert asyncio.get_running_loop() is PromptServer.instance.loop
        assert threading.current_thread() is threading.main_thread()
        came = threading.Event()
        async def later():
            came.set()
        asyncio.get_running_loop().create_task(later())
        """,
    )
    record = house.load()["loops"]
    assert record["state"] == "loaded", record
    name = module_name(house.host.folders.base / "custom_nodes" / "loops.py")
    assert sys.modules[name].came.wait(5)
    loop = PromptServer.instance.loop
    assert loop is not None
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "alive"), loop).result(5) == "alive"


def test_handlers_of_a_plugin_that_is_imported_again_do_not_run_twice(house: House) -> None:
    handler = "lambda body: {**body, 'n': body.get('n', 0) + 1}"
    code = f"from server import PromptServer\nPromptServer.instance.add_on_prompt_handler({handler})"
    house.write("counts.py", code)
    house.load()
    assert house.plugins.ask("on_prompt", {}) == {"n": 1}
    house.plugins.reload("counts")
    assert house.plugins.ask("on_prompt", {}) == {"n": 1}


def test_the_order_of_a_start_says_whose_node_counts_and_the_other_comes_back(house: House) -> None:
    for name in "abc":
        house.write(f"{name}.py", node("Twice", f"'{name}'"))
    house.load()
    registry = house.host.registry

    def counts() -> str:
        home = registry["Twice"].python_module
        assert home == nodes.NODE_CLASS_MAPPINGS["Twice"].RELATIVE_PYTHON_MODULE
        having = [each["name"] for each in house.plugins.records if each["nodes"] == ["Twice"]]
        assert having == [home.removeprefix("custom_nodes.")]
        return home

    assert counts() == "custom_nodes.c"
    house.plugins.reload("a")
    assert counts() == "custom_nodes.c", "as after a restart"
    house.write("c.py", "raise ValueError('half written')")
    house.plugins.reload("c")
    assert counts() == "custom_nodes.c", "what was loaded before stays"
    (house.host.folders.base / "custom_nodes" / "c.py").unlink()
    house.plugins.reload(None)
    assert counts() == "custom_nodes.b"
    house.write("b.py", node("Other"))
    house.plugins.reload("b")
    assert registry["Twice"].python_module == "custom_nodes.a"
    house.write("b.py", node("Twice", "'b'"))
    house.write("aa.py", node("Twice", "'aa'"))
    house.plugins.reload(None)
    assert counts() == "custom_nodes.b", "a new plugin takes its place in the order"
    problems = {each["name"]: each["problems"] for each in house.plugins.records}
    assert list(problems) == ["a", "aa", "b"]
    assert [("plugin b" in str(each)) for each in problems.values()] == [True, True, False]
    assert list(house.plugins.describe()) == ["Twice"]


WRITES = """
import os, sys, warnings
import folder_paths, nodes, server
import comfy.samplers
from aiohttp import web
from compat.plugins import declared
from server import PromptServer

given = PromptServer.instance
VERSION = "{0}"
given.add_on_prompt_handler(lambda body: {{**body, "seen": [*body.get("seen", []), VERSION]}})

@given.routes.get("/writes/{0}")
async def handler(request): pass

@web.middleware
async def middleware(request, handler): return await handler(request)

given.app.middlewares.append(middleware)
given.app.router.add_route("GET", "/direct/{0}", handler)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    given.app["{0}"] = 1
given.send_sync = lambda *all: VERSION
folder_paths.add_model_folder_path("checkpoints", "/{0}")
folder_paths.folder_names_and_paths["kind_{0}"] = (["/x"], set())
comfy.samplers.KSampler.SAMPLERS.append("sampler_{0}")
comfy.samplers.calculate_sigmas = lambda *all: VERSION
comfy.samplers.KSampler.sample = lambda *all: VERSION
comfy.samplers.added_{0} = 1
nodes.NODE_CLASS_MAPPINGS["Direct_{0}"] = type("Direct", (), {{}})
nodes.NODE_DISPLAY_NAME_MAPPINGS["Direct_{0}"] = "x"
nodes.EXTENSION_WEB_DIRS["web_{0}"] = os.path.dirname(__file__)
declared.replace_node("Old_{0}", {{"new_node_id": "New"}})
sys.path.insert(0, "/path_{0}")
"""


def _state(host: Host) -> dict[str, object]:
    """What plugins have written to."""
    import comfy.samplers
    import folder_paths

    server = PromptServer.instance
    return {
        "seen": server.trigger_on_prompt({}).get("seen"),
        "routes": [each.path for each in server.routes if isinstance(each, web.RouteDef)],
        "direct": [each.canonical for each in server.app.router.resources()],
        "middlewares": len(server.app.middlewares),
        "values": [key for key in server.app if isinstance(key, str)],
        "send": server.send_sync,
        "checkpoints": folder_paths.get_folder_paths("checkpoints"),
        "kinds": [*folder_paths.folder_names_and_paths],
        "samplers": [*comfy.samplers.KSampler.SAMPLERS],
        "function": comfy.samplers.calculate_sigmas,
        "method": comfy.samplers.KSampler.sample,
        "names": sorted(vars(comfy.samplers)),
        "table": dict(nodes.NODE_CLASS_MAPPINGS),
        "titles": dict(nodes.NODE_DISPLAY_NAME_MAPPINGS),
        "web": dict(nodes.EXTENSION_WEB_DIRS),  # type: ignore[attr-defined]
        "places": dict(nodes.LOADED_MODULE_DIRS),  # type: ignore[attr-defined]
        "declared": dict(declared.replacements()),
        "path": [*sys.path],
        "types": {each.id: each.python_module for each in host.registry},
        "modules": {name: each for name, each in sys.modules.items() if str(host.folders.base) in name},
    }


def test_an_import_that_fails_leaves_nothing_behind(house: House) -> None:
    house.write("good.py", node("Good"))
    house.load()
    clean = Snapshot(PromptServer.instance)  # so that what is written in earnest does not reach other tests
    try:
        at_first = _state(house.host)
        house.write("writes.py", WRITES.format("broken") + "raise ValueError('no')")
        house.plugins.reload(None)
        assert _state(house.host) == at_first, "a plugin that never worked"
        house.write("writes.py", WRITES.format("old") + node("Writes"))
        house.plugins.reload(None)
        before = _state(house.host)
        assert before["seen"] == ["old"]
        assert before["send"]() == "old"  # type: ignore[operator]
        for ending in ("raise ValueError('no')", "NODE_CLASS_MAPPINGS = None\ndef comfy_entrypoint(): return None"):
            house.write("writes.py", WRITES.format("broken") + ending)
            house.plugins.reload("writes")
            assert _state(house.host) == before
            record = {each["name"]: each for each in house.plugins.records}["writes"]
            assert (record["state"], record["nodes"]) == ("failed", ["Writes"])
            assert [*record["web"]] == ["web_old"]
            assert "stays" in record["error"]
    finally:
        clean.restore()


def test_folders_written_into_the_table_are_served_and_modules_are_found(house: House) -> None:
    js = house.write("pack/js/main.js", "").parent
    house.write("pack/other/more.js", "")
    path = house.write(
        "pack/__init__.py",
        """
        import os, nodes
        here = nodes.LOADED_MODULE_DIRS["pack"]
        WEB_DIRECTORY = "./js"
        nodes.EXTENSION_WEB_DIRS["extra"] = os.path.join(here, "other")
        nodes.EXTENSION_WEB_DIRS["nowhere"] = os.path.join(here, "missing")
        """,
    )
    house.write("zz.py", "import nodes\nSEEN = dict(nodes.EXTENSION_WEB_DIRS), dict(nodes.LOADED_MODULE_DIRS)")
    records = house.load()
    other = js.with_name("other").resolve()
    assert records["pack"]["web"] == {"pack": str(js.resolve()), "extra": str(other)}
    assert "nowhere" in records["pack"]["problems"][0]  # type: ignore[index]
    dirs, places = sys.modules[module_name(house.host.folders.base / "custom_nodes" / "zz.py")].SEEN
    assert dirs["pack"] == str(js.resolve())
    assert places == {"pack": str(path.parent), "zz": str(path.parents[1])}
    house.write("pack/__init__.py", "x = 1")
    house.plugins.reload("pack")
    assert nodes.EXTENSION_WEB_DIRS.keys() & {"pack", "extra"} == set()  # type: ignore[attr-defined]


def test_replacements_are_declared_once(house: House) -> None:
    for _ in range(2):
        declared.replace_node("Old", {"new_node_id": "New"})
    assert declared.replacements() == {"Old": [{"new_node_id": "New"}]}
