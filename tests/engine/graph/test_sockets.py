"""Which outputs go into which inputs."""

import copy

import pytest

from engine.graph.sockets import Judged, accepts, of_author


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


class Numeric(str):
    """An author's type that fits numbers, by a comparison of his own."""

    def __ne__(self, other: object) -> bool:
        return other not in ("INT", "FLOAT")


class AlwaysEqual(str):
    """Cannot be hashed, as types of authors often cannot."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def test_an_authors_type_becomes_a_text_that_can_be_looked_up_and_compares_as_before():
    judged = of_author(Numeric("NUMBER"))
    assert isinstance(judged, Judged)
    assert judged == "NUMBER"
    assert {judged: 1}["NUMBER"] == 1
    assert accepts(judged, "INT")
    assert accepts("FLOAT", judged)
    assert not accepts(judged, "IMAGE")
    assert accepts(copy.deepcopy(judged), "INT")
    anything = of_author(AlwaysEqual("*"))
    assert anything in {"*"}
    assert accepts(anything, "IMAGE")
    assert accepts("IMAGE", anything)
    assert type(of_author("INT")) is str


def test_a_comparison_that_raises_fits_nothing():
    class Raises(str):
        def __ne__(self, other: object) -> bool:
            if other == "\0":
                return True
            raise ValueError("cannot compare")

    assert not accepts(of_author(Raises("A")), "B")
