"""Plugins imported in this process: names, order, what counts as a node, and what is put back."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

import nodes
from compat.host import Host
from compat.plugins import declared
from compat.plugins.modules import module_name
from compat.plugins.plugins import Plugins
from compat.prompt_server import PromptServer
from tests.compat.plugins.conftest import node


class House:
    """The plugins of a host, closed at the end of the test."""

    def __init__(self, host: Host) -> None:
        self.host, self.plugins = host, Plugins(host)
        self._before = dict(nodes.NODE_CLASS_MAPPINGS)

    def write(self, name: str, code: str) -> Path:
        path = self.host.folders.base / "custom_nodes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(code))
        return path

    def load(self) -> dict[str, dict[str, object]]:
        self.plugins.load()
        return {each["name"]: each for each in self.plugins.records}

    def close(self) -> None:
        self.plugins.close()
        nodes.NODE_CLASS_MAPPINGS.clear()
        nodes.NODE_CLASS_MAPPINGS.update(self._before)
        for name in [each for each in sys.modules if str(self.host.folders.base).replace(".", "_x_") in each]:
            del sys.modules[name]


@pytest.fixture
def house(host: Host) -> Iterator[House]:
    if not hasattr(nodes, "NODE_CLASS_MAPPINGS"):
        nodes.NODE_CLASS_MAPPINGS = {}  # type: ignore[attr-defined]
    made = House(host)
    yield made
    made.close()


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


def test_the_last_plugin_wins_and_built_in_nodes_stay_unless_written_by_hand(house: House) -> None:
    house.write("a.py", node("Twice", "'a'"))
    house.write("b.py", node("Twice", "'b'") + node("SaveImage").replace("NODE_CLASS_MAPPINGS =", "OTHER ="))
    house.write("c.py", "import nodes" + node("EmptyImage") + "nodes.NODE_CLASS_MAPPINGS['VAEDecode'] = EmptyImage\n")
    records = house.load()
    registry = house.host.registry
    assert records["a"]["nodes"] == []
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


def test_replacements_are_declared_once(house: House) -> None:
    for _ in range(2):
        declared.replace_node("Old", {"new_node_id": "New"})
    assert declared.replacements() == {"Old": [{"new_node_id": "New"}]}
