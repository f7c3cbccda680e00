"""Lists of files that keep their kind as long as they show it."""

import copy
from operator import add

import pytest

from compat.core_nodes.filenames import FileNames


def names() -> FileNames:
    return FileNames(["a", "b"], "loras")


def test_choices_may_be_put_around_the_files():
    made = add(add(["None"], names()), ["all"])
    assert made == ["None", "a", "b", "all"]
    assert (made.kind, made.before, made.also) == ("loras", ("None",), ("all",))


def test_choices_may_be_added_in_place():
    made = names()
    made.insert(0, "None")
    made.append("x")
    made += ["y"]
    assert made == ["None", "a", "b", "x", "y"]
    assert (made.kind, made.before, made.also) == ("loras", ("None",), ("x", "y"))


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.remove("a"),
        lambda made: made.sort(reverse=True),
        lambda made: made.insert(1, "between"),
        lambda made: made.__setitem__(0, "c"),
        lambda made: made.extend(names()),
    ],
)
def test_other_changes_make_it_a_plain_list_of_choices(change):
    made = names()
    change(made)
    assert made.kind == ""


def test_two_kinds_together_are_none():
    assert not isinstance(names() + names(), FileNames)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, FileNames.copy])
def test_copies_keep_their_kind(copied):
    made = copied(add(["None"], names()))
    assert made == ["None", "a", "b"]
    assert (made.kind, made.before, made.also) == ("loras", ("None",), ())
