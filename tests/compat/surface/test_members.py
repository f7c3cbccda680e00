"""Every member of ComfyUI that at least two of 50 packs use: it is found, or refused by name, and its behaviour tested.

The list is a measurement of public packs (plugin_surface.md); each member points to the test that uses it.
"""

import ast
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.host import Host
from compat.install import furnish, install, services
from engine.errors import LatentwireError
from engine.settings import Settings
from latentwire import Engine
from tests.compat.surface.members import Found

ROOT = Path(__file__).resolve().parents[3]
SURFACE = json.loads((ROOT / "tests" / "data" / "plugin_surface_members.json").read_text())
MEMBERS: dict[str, dict[str, Any]] = {**SURFACE["members"], **SURFACE["object_members"]}

ABSENT = {each: spec["absent"] for each, spec in MEMBERS.items() if "absent" in spec}
"""What is not here, and why: a `network` we do not have, a `newer` name than 0.3.64's, or a pack's own (`theirs`)."""

BEYOND = (
    "from comfy.ldm.wan.model import X",
    "from comfy.ldm.anima.model import Anima",
    "from comfy.nested_tensor import NestedTensor",
    "from comfy import multigpu",
    "from comfy.sd import Nope",
    "from comfy.samplers import CFGNoisePredictor",
    "from comfy_api.latest import Nope",
    "from comfy_api.latest._io import Nope",
    "from comfy_extras.nodes_nope import Nope",
    "from comfy_extras.nodes_mask import Nope",
    "from folder_paths import nope",
    "from nodes import Nope",
    "from server import Nope",
    "from execution import Nope",
    "import comfy.context_windows",
    "import comfy.cli_args_types",
    "import comfy_execution.nope",
    "import comfy.sd; comfy.sd.Nope",
    "import comfy; comfy.api",
    "import folder_paths; folder_paths.nope",
    "import nodes; nodes.Nope",
    "import server; server.Nope",
    "import comfy.model_base; comfy.model_base.Anima",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, tiny_models: Path) -> Iterator[Found]:
    base = tmp_path_factory.mktemp("members")
    for name in ("input", "output", "custom_nodes", "user"):
        (base / name).mkdir()
    (base / "models").symlink_to(tiny_models, target_is_directory=True)
    engine = Engine(Settings(base_directory=base, cpu=True), services=services())
    host = install(engine)
    furnish(host)
    yield Found(host)
    engine.close()


def test_the_lists_are_whole() -> None:
    assert (len(SURFACE["members"]), len(SURFACE["object_members"])) == (515, 158)


@pytest.mark.parametrize("member", [each for each in SURFACE["members"] if each not in ABSENT])
def test_a_member_is_there(found: Found, member: str) -> None:
    found.host_member(member)


@pytest.mark.parametrize("member", [each for each in SURFACE["object_members"] if each not in ABSENT])
def test_a_member_of_a_value_is_there(found: Found, member: str) -> None:
    found.object_member(member)


@pytest.mark.parametrize("member", ABSENT)
def test_what_is_not_there_is_refused_by_name(found: Found, member: str) -> None:
    look_up = found.host_member if member in SURFACE["members"] else found.object_member
    with pytest.raises((AttributeError, LatentwireError, KeyError)) as refused:
        look_up(member)
    if ABSENT[member] == "network":
        assert str(refused.value).startswith("comfy.ldm.flux.model.Flux: this program has no network of that kind")
    else:
        words = re.split(r"[.#\[]", member.rstrip("]"))[-2:]
        assert any(word in str(refused.value) for word in words), str(refused.value)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_members_behaviour_is_tested(member: str) -> None:
    file, _, name = MEMBERS[member]["test"].partition("::")
    assert name in _tests(file), f"{member}: {file} has no {name}"


@pytest.mark.parametrize("code", BEYOND)
def test_what_nobody_offers_fails_with_a_sentence_that_names_it(host: Host, code: str) -> None:
    with pytest.raises((ImportError, AttributeError), match="this member of ComfyUI is not offered here") as refused:
        exec(code, {})
    module, _, member = re.sub(r"^(from|import) ", "", code.partition(";")[0]).partition(" import ")
    top = ".".join(module.split(".")[:2])
    assert str(refused.value).startswith(top)
    if ";" in code:
        member = code.rpartition(".")[2]
    assert f"{module}.{member}".startswith(str(refused.value).partition(":")[0]) or member in str(refused.value)


def test_asking_whether_a_member_is_there_is_answered(host: Host) -> None:
    import importlib.util

    import comfy
    import comfy.sd

    assert not hasattr(comfy, "context_windows")
    assert getattr(comfy.sd, "Nope", 5) == 5
    assert importlib.util.find_spec("comfy.context_windows") is None


@functools.cache
def _tests(file: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(
        each.name
        for each in tree.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and "test" in each.name
    )
