"""LoraSave in whole graphs: what it saves draws as what it was made from, and carries the workflow."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from engine.graph.builder import Handle
from engine.graph.validate import validate
from tests.nodes.bench import Bench, Drawing, close


def differences(drawing: Drawing) -> dict[str, Any]:
    with_lora = drawing.graph.node(
        "LoraLoader", model=drawing.model, clip=drawing.clip, lora_name="tiny.safetensors", strength_model=0.8,
        strength_clip=0.8,
    )  # fmt: skip
    model = drawing.graph.node("ModelMergeSubtract", model1=with_lora.out(0), model2=drawing.model, multiplier=1.0)
    clip = drawing.graph.node("CLIPMergeSubtract", clip1=with_lora.out(1), clip2=drawing.clip, multiplier=1.0)
    return {"model_diff": model, "text_encoder_diff": clip}


def saving(drawing: Drawing, prefix: str = "loras/mine", **inputs: Any) -> Handle:
    given = {"rank": 4, "lora_type": "standard", "bias_diff": True, **inputs}
    return drawing.graph.node("LoraSave", filename_prefix=prefix, **given)


def written(bench: Bench) -> list[Path]:
    return sorted(bench.folders.output.rglob("*.safetensors"))


def test_a_saved_lora_draws_as_the_one_it_was_made_from(bench: Bench) -> None:
    drawing = Drawing()
    bench.run(drawing.graph, saving(drawing, **differences(drawing)), extra={"workflow": {"a": 1}}).check()
    (path,) = written(bench)
    assert path.relative_to(bench.folders.output).as_posix() == "loras/mine_00001_.safetensors"
    with safe_open(path, "pt") as file:
        said = file.metadata()
    assert json.loads(said["workflow"]) == {"a": 1}
    assert "LoraSave" in said["prompt"]
    assert (said["ss_network_dim"], said["ss_base_model_version"]) == ("4", "sd_v1")
    folder = bench.folders.base / "models" / "loras"
    folder.mkdir(parents=True)
    path.rename(folder / "again.safetensors")
    pictures = []
    for name, strength in (("tiny.safetensors", 0.8), ("again.safetensors", 1.0), ("tiny.safetensors", 0.0)):
        inputs = {"lora_name": name, "strength_model": strength, "strength_clip": strength}
        loaded = drawing.graph.node("LoraLoader", model=drawing.model, clip=drawing.clip, **inputs)
        text = drawing.graph.node("CLIPTextEncode", text="a red apple", clip=loaded.out(1))
        node = drawing.sampled(model=loaded.out(0), positive=text, steps=1)
        pictures.append(bench.value(drawing.graph, node)["samples"])
    assert close(pictures[1], pictures[0], 1e-2)
    assert not close(pictures[2], pictures[0], 5e-2)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (lambda each: {"model_diff": each.model}, "model_diff: expected the difference of two models"),
        (lambda each: {"text_encoder_diff": each.clip}, "text_encoder_diff: expected the difference"),
        (
            lambda each: {
                "model_diff": each.graph.node("ModelMergeSubtract", model1=each.model, model2=each.model, multiplier=1)
            },
            "model_diff: the two models are the same, so there is nothing to save",
        ),
    ],
)
def test_what_cannot_be_saved_is_said_and_no_file_is_left(inputs: Any, said: str, bench: Bench) -> None:
    drawing = Drawing()
    assert said in bench.message(drawing.graph, saving(drawing, **inputs(drawing)))
    assert not written(bench)


def test_a_node_with_nothing_connected_says_so_and_writes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    drawing = Drawing()
    bench.run(drawing.graph, saving(drawing)).check()
    assert "neither model_diff nor text_encoder_diff is connected" in caplog.text
    assert not written(bench)


def test_a_file_outside_the_output_folder_is_refused_before_anything_runs(bench: Bench) -> None:
    drawing = Drawing()
    saving(drawing, "../../outside", **differences(drawing))
    problems = validate(drawing.graph.prompt(), bench.registry).problems
    assert "outside" in str(problems)
