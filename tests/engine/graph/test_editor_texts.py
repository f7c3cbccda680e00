"""engine.graph.editor_texts: texts as the editor sends them."""

import time
from random import Random

import pytest

from engine.graph.editor_texts import choose, fill_in, settle_texts
from engine.graph.nodetype import Input, NodeType
from engine.graph.registry import Registry

NOW = time.struct_time((2024, 3, 5, 7, 8, 9, 0, 0, 0))


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("a {red|blue} hat", {"a red hat", "a blue hat"}),
        ("{a|{b|c} d}", {"a", "b d", "c d"}),
        ("{a|}", {"a", ""}),
        (r"\{a\|b\} \x", {r"{a|b} \x"}),
        (r"{a\|b|c}", {"a|b", "c"}),
        ("one /* two\nthree */four // five\nsix", {"one four \nsix"}),
        ("a | b } c", {"a | b } c"}),
        ("open {a|b", {"open {a|b"}),
    ],
)
def test_one_of_each_choice_is_taken(text: str, possible: set[str]) -> None:
    assert {choose(text, Random(seed)) for seed in range(40)} == possible


def test_choices_repeat_with_their_seed_and_nest_without_end() -> None:
    text = "{a|b|c|d|e}" * 10
    assert choose(text, Random(1)) == choose(text, Random(1))
    assert choose("{" * 50_000 + "x" + "}" * 50_000, Random(1)) == "x"


PROMPT = {
    "1": {"class_type": "KSampler", "inputs": {"seed": 7, "model": ["2", 0]}, "_meta": {"title": "Second pass"}},
    "2": {"class_type": "Loader", "inputs": {"ckpt_name": "a/b:c.ckpt"}},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%date:yyyy-MM-dd%/%date:hh.mm.ss%", "2024-03-05/07.08.09"),
        ("%date:yy M d h%", "24 3 5 7"),
        ("%KSampler.seed%_%Second pass.seed%", "7_7"),
        ("%Loader.ckpt_name%", "a_b_c.ckpt"),
        ("%width%_%No.such%_%KSampler.model%_100%", "%width%_%No.such%_%KSampler.model%_100%"),
    ],
)
def test_words_in_file_names_are_filled_in(text: str, expected: str) -> None:
    assert fill_in(text, PROMPT, NOW) == expected


def test_only_inputs_that_ask_for_it_are_settled() -> None:
    words = Input("words", "STRING", options={"dynamicPrompts": True})
    types = Registry([NodeType("T", inputs=(words, Input("plain", "STRING"), Input("filename_prefix", "STRING")))])
    given = {"words": "{a}", "plain": "{a}", "filename_prefix": "{a}%date:yyyy%", "link": ["2", 0]}
    prompt = {"1": {"class_type": "T", "inputs": given}, "2": {"class_type": "?", "inputs": {"words": "{a}"}}}
    settled = settle_texts(prompt, types.get, Random(0), NOW)
    assert settled["1"]["inputs"] == {"words": "a", "plain": "{a}", "filename_prefix": "{a}2024", "link": ["2", 0]}
    assert settled["2"] == prompt["2"]
    assert prompt["1"]["inputs"]["words"] == "{a}", "the prompt given is left as it was"
