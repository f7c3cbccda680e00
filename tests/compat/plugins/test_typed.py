"""Plugins' nodes in our own form: functions marked with `@node`."""

import json

import nodes
from compat.plugins import about
from engine.graph.prompt import Prompt
from tests.compat.plugins.conftest import House

SHOUT = """
from engine.folders import Folders
from engine.graph.define import Widget, node
from typing import Annotated

@node("Shout", category="text", display_name="Shout it")
def shout(*, text: str = "hello", times: Annotated[int, Widget(min=1, max=5)] = 1, folders: Folders) -> str:
    \"\"\"Says it louder.\"\"\"
    assert folders.base.is_dir()
    return text.upper() + "!" * times
"""
SHOW = """
from engine.graph.define import node
from engine.graph.nodetype import Result

@node("Show", category="text", outputs=(), is_output=True)
def show(*, text: str) -> Result:
    return Result(ui={"text": [text]})
"""
PROMPT = {
    "1": {"class_type": "Shout", "inputs": {"text": "hi", "times": 2}},
    "2": {"class_type": "Show", "inputs": {"text": ["1", 0]}},
}


def _shown(house: House) -> object:
    return house.host.engine.executor.execute(Prompt.from_json(PROMPT)).check().ui["2"]["text"]


def test_a_marked_function_is_a_node_and_gets_our_services(house: House) -> None:
    house.write("loud/parts.py", SHOUT)
    house.write("loud/__init__.py", f"from .parts import shout\nfrom nodes.image import image_invert\n{SHOW}")
    record = house.load()["loud"]
    assert (record["state"], record["nodes"], record["problems"]) == ("loaded", ["Shout", "Show"], [])
    found = house.host.registry["Shout"]
    assert (found.python_module, found.display_name) == ("custom_nodes.loud", "Shout it")
    assert (found.description, found.inputs[1].options["max"]) == ("Says it louder.", 5)
    assert _shown(house) == ["HI!!"]
    assert nodes.NODE_DISPLAY_NAME_MAPPINGS["Shout"] == "Shout it"  # type: ignore[attr-defined]


def test_other_plugins_find_it_as_a_class(house: House) -> None:
    house.write("loud.py", SHOUT)
    house.load()
    cls = nodes.NODE_CLASS_MAPPINGS["Shout"]  # type: ignore[attr-defined]
    assert cls.INPUT_TYPES()["required"]["times"][1]["max"] == 5
    assert getattr(cls(), cls.FUNCTION)(text="ho", times=1) == ("HO!",)


def test_a_reload_swaps_it(house: House) -> None:
    house.write("show.py", SHOW)
    house.write("loud.py", SHOUT)
    house.load()
    assert _shown(house) == ["HI!!"]
    house.write("loud.py", SHOUT.replace('"!"', '"?"'))
    house.plugins.reload("loud")
    assert _shown(house) == ["HI??"]
    house.write("loud.py", "raise OSError")
    house.plugins.reload("loud")
    assert _shown(house) == ["HI??"], "what was loaded before stays"
    assert json.dumps(house.plugins.describe()["Shout"])


def test_one_that_cannot_be_a_node_costs_the_others_nothing(house: House) -> None:
    bad = SHOUT.replace('"Shout"', '"Odd"').replace("def shout", "def odd").replace("text: str", "text: object")
    house.write("mixed.py", SHOUT + bad)
    record = house.load()["mixed"]
    assert record["nodes"] == ["Shout"]
    assert isinstance(record["problems"], list)
    (problem,) = record["problems"]
    assert problem.startswith("node Odd: ")
    assert "text" in problem


def test_plugins_that_cannot_be_imported_say_what_they_would_have_brought(house: House) -> None:
    house.write("three/v1.py", "NODE_CLASS_MAPPINGS = {'One': 1}\nNODE_CLASS_MAPPINGS['Two'] = 2\nx = {'Other': 1}")
    house.write("three/v3.py", "io.Schema(node_id='Three', inputs=[])")
    house.write("three/broken.py", "NODE_CLASS_MAPPINGS = {'No'")
    house.write("three/__init__.py", "import not_there_at_all" + SHOUT)
    house.write("off.py.disabled", SHOW)
    records = house.load()
    assert records["three"]["state"] == "failed"
    assert records["three"]["named"] == ["One", "Shout", "Three", "Two"]
    assert records["off.py.disabled"]["named"] == ["Show"]
    assert about.named_nodes(house.host.folders.base / "nowhere.py") == []
