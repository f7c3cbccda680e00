"""Which outputs go into which inputs."""

import pytest

from engine.graph.sockets import accepts


class Anything(str):
    """What plugin authors write for a socket that takes everything."""

    def __ne__(self, other: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("wanted", "received", "fits"),
    [
        ("IMAGE", "IMAGE", True),
        ("IMAGE", "MASK", False),
        ("INT,FLOAT", "FLOAT", True),
        ("FLOAT", "INT, FLOAT", True),
        ("INT,FLOAT", "FLOAT,STRING", True),
        ("INT,FLOAT", "STRING,BOOLEAN", False),
        ("INT", "FLOAT", False),
        ("", "IMAGE", False),
        (",", "IMAGE,", False),
        ("*", "IMAGE", False),  # ComfyUI compares the star as a name
        ("*", "*", True),
        ("IMAGE", "image", False),
    ],
)
def test_types_fit_by_name_or_by_a_shared_member(wanted: str, received: str, fits: bool) -> None:
    assert accepts(wanted, received) is fits


def test_an_authors_own_comparison_is_asked() -> None:
    assert accepts(Anything("*"), "IMAGE")
    assert accepts("IMAGE", Anything("*"))
