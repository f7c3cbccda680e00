"""Captions say what the pictures show, in the shares the mix asks for, and never what was kept back."""

from collections import Counter
from dataclasses import replace

from engine.training.captions import (
    COLOURS,
    REDUCED_MIX,
    WHITE,
    Catalogue,
    Mix,
    Picture,
    plural,
    scenes,
    with_article,
)
from engine.training.vocabulary import Concept

CONCEPTS = {
    "A": Concept("A", ("apple", "red apple"), ("fruit", "food", "red")),
    "F": Concept("F", ("fox",), ("animal", "face", "orange")),
    "M": Concept("M", ("moon", "crescent moon"), ("night", "sky", "space")),
    "G": Concept("G", ("grapes",), ("fruit", "purple", "wine")),
}
CATALOGUE = Catalogue(
    {(style, subject): 4 * i + j for i, style in enumerate(("3d", "flat")) for j, subject in enumerate(CONCEPTS)},
    CONCEPTS,
    {"3d": ("3d render", "glossy"), "flat": ("flat vector",)},
    dominant={0: "red", 4: "red"},
)
ONE = Mix(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_the_same_seed_draws_the_same_scenes() -> None:
    assert scenes(CATALOGUE, Mix(), 50, seed=3) == scenes(CATALOGUE, Mix(), 50, seed=3)
    assert scenes(CATALOGUE, Mix(), 50, seed=3) != scenes(CATALOGUE, Mix(), 50, seed=4)


def test_every_icon_comes_up_equally_often() -> None:
    shown = Counter(scene.picture.icons[0].icon for scene in scenes(CATALOGUE, ONE, 800, seed=0))
    assert set(shown.values()) == {100}


def test_a_plain_mix_names_subject_and_style_on_white() -> None:
    for scene in scenes(CATALOGUE, ONE, 200, seed=0):
        icon = scene.picture.icons[0].icon
        names = list(CONCEPTS.values())[icon % 4].names
        phrases = CATALOGUE.phrases["3d" if icon < 4 else "flat"]
        assert any(name in scene.caption for name in names)
        assert any(phrase in scene.caption for phrase in phrases)
        assert scene.picture == Picture((scene.picture.icons[0],))


def test_a_named_background_is_the_one_behind() -> None:
    shown = scenes(CATALOGUE, replace(ONE, background=1.0), 300, seed=0)
    for scene in shown:
        assert "background" in scene.caption
        top = next(name for name, colour in COLOURS.items() if colour == scene.picture.top)
        bottom = next(name for name, colour in COLOURS.items() if colour == scene.picture.bottom)
        assert top in scene.caption
        assert bottom in scene.caption
    assert any(scene.picture.top != scene.picture.bottom for scene in shown)


def test_what_stands_left_in_the_caption_stands_left_in_the_picture() -> None:
    for scene in scenes(CATALOGUE, replace(ONE, beside=1.0), 200, seed=0):
        left, right = sorted(scene.picture.icons, key=lambda placed: placed.x)
        words = scene.caption.split(" to the right of ")
        first, second = (right, left) if len(words) == 2 else (left, right)
        names = [list(CONCEPTS.values())[placed.icon % 4].names for placed in (first, second)]
        places = [min(scene.caption.find(name) % 999 for name in own) for own in names]
        assert places[0] < places[1]


def test_numbers_in_captions_are_counted_out() -> None:
    for scene in scenes(CATALOGUE, replace(ONE, count=1.0), 100, seed=0):
        words = {"two": 2, "three": 3, "four": 4}
        assert next(n for word, n in words.items() if word in scene.caption) == len(scene.picture.icons)


def test_only_icons_of_one_hue_are_recoloured_and_never_to_their_own() -> None:
    for scene in scenes(CATALOGUE, replace(ONE, recolour=1.0), 200, seed=0):
        placed = scene.picture.icons[0]
        assert (placed.hue is not None) == (placed.icon in CATALOGUE.dominant)
        assert placed.hue != 0


def test_kept_back_cells_and_pairs_never_appear() -> None:
    careful = replace(
        CATALOGUE, kept_back_cells=frozenset({("3d", "A")}), kept_back_pairs=frozenset({("F", "M"), ("G", "M")})
    )
    for scene in scenes(careful, replace(ONE, beside=0.5, above=0.5), 400, seed=0):
        icons = [placed.icon for placed in scene.picture.icons]
        assert 0 not in icons
        assert [icon % 4 for icon in icons] not in ([1, 2], [3, 2])


def test_the_reduced_mix_draws_one_icon_at_a_time() -> None:
    shown = scenes(CATALOGUE, REDUCED_MIX, 400, seed=0)
    assert all(len(scene.picture.icons) == 1 and scene.picture.finish is None for scene in shown)
    white = sum(scene.picture.top == WHITE for scene in shown) / len(shown)
    assert 0.6 < white < 0.85


def test_articles_and_plurals_are_english() -> None:
    assert [with_article(name) for name in ("apple", "fox", "grapes", "bus")] == [
        "an apple",
        "a fox",
        "grapes",
        "a bus",
    ]
    assert [plural(name) for name in ("fox", "cherry", "peach", "dog", "key")] == [
        "foxes",
        "cherries",
        "peaches",
        "dogs",
        "keys",
    ]
