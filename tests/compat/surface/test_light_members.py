"""Every member of the light modules that two or more packs use: there, and used by a test of its behaviour.

The list is of plugin_surface.json (measured over 50 packs); the behaviour itself is tested in tests/compat/light.
"""

import importlib
import re
from pathlib import Path

import pytest

from compat.host import Host

HERE = Path(__file__).parent
MEMBERS = (HERE / "light_members.txt").read_text().split()
TESTS = "\n".join(path.read_text() for path in sorted((HERE.parent / "light").glob("test_*.py")))


def path_of(member: str) -> list[str]:
    """A member's dotted name in pieces: `nodes.SaveImage#self.type` and `nodes.VAEEncode().encode` as in code."""
    plain = re.sub(r"\(\)|#self\.|#", ".", member).replace("..", ".")
    return [piece for piece in plain.split(".") if piece]


def found(pieces: list[str]) -> object:
    """What is behind the pieces, by importing as far as there are modules; instances are made where needed."""
    name, *rest = pieces
    here = importlib.import_module(name)
    for piece in rest:
        name = f"{name}.{piece}"
        if isinstance(here, type) and not hasattr(here, piece):
            here = here()
        if not hasattr(here, piece):
            here = importlib.import_module(name)
        else:
            here = getattr(here, piece)
    return here


@pytest.mark.parametrize("member", [each for each in MEMBERS if "ProgressBar()." not in each])
def test_a_member_is_there(host: Host, member: str):
    found(path_of(member))


@pytest.mark.parametrize("member", MEMBERS)
def test_a_members_behaviour_is_tested(member: str):
    last = path_of(member)[-1]
    assert re.search(rf"\b{re.escape(last)}\b", TESTS), f"no test in tests/compat/light uses {member}"
