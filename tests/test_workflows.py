"""The workflows that ship run, and their editor files say the same; those for files people own run with miniatures."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine import metadata
from engine.settings import Settings
from latentwire import Engine, Workflow
from server.files import templates
from tests import miniature_files

WORKFLOWS = Path(__file__).resolve().parent.parent / "workflows"
OWN = WORKFLOWS / templates.WITH_OWN_FILES
API = sorted(path for path in WORKFLOWS.glob("*.json") if not path.name.endswith(".editor.json"))
OF_FILES: list[tuple[str, str, Any]] = [
    ("sdxl_base_and_refiner", "CLIPTextEncodeSDXLRefiner.ascore", 2.5),
    ("sdxl_turbo", "SamplerCustom.noise_seed", 8),
    ("lcm_lora", "LoraLoaderModelOnly.strength_model", 0.2),
    ("playground", "ModelSamplingContinuousEDM.sigma_max", 40.0),
    ("sd2_v_prediction", "ModelSamplingDiscrete.sampling", "eps"),
    ("separate_files", "Positive.text", "a pear"),
    ("inpainting_model", "KSampler.seed", 8),
    ("instruct_pix2pix", "DualCFGGuider.cfg_cond2_negative", 4.0),
    ("unclip", "unCLIPConditioning.strength", 0.2),
    ("controlnet_and_t2i_adapter", "T2I-Adapter.strength", 0.2),
    ("union_controlnet", "SetUnionControlNetType.type", "depth"),
    ("control_lora", "ControlNetApplyAdvanced.strength", 0.2),
    ("lora_and_dora", "DoRA.strength_model", 0.2),
    ("embedding", "Negative.text", "(embedding:EasyNegative:0.4)"),
    ("hypernetwork", "HypernetworkLoader.strength", 0.2),
    ("gligen", "GLIGENTextBoxApply.width", 448),
    ("ip_adapter_plus", "IPAdapterAdvanced.weight", 0.2),
    ("style_adapter", "StyleModelApply.strength", 0.2),
    ("upscale_model", "Picture.upscale_method", "bilinear"),
    ("merging_and_saving", "ModelMergeSimple.ratio", 0.9),
    ("larger", "PatchModelAddDownscale.downscale_factor", 1.5),
    ("scheduled_lora", "CreateHookKeyframesInterpolated.strength_start", 0.1),
    ("depth", "Picture.output.normalization", "min_max"),
]
"""The graphs that need people's own files, and an input whose other value must change the picture."""
SIDES = ("width", "height", "x", "y")
"""Inputs in pixels, of nodes that lay out a latent."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """An engine with the models that ship, and the pictures beside the workflows to load."""
    output = tmp_path_factory.mktemp("drawn")
    return Engine(Settings(input_directory=WORKFLOWS, output_directory=output, cpu=True))


@pytest.mark.slow
@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_a_shipped_workflow_draws_with_what_ships(path: Path, engine: Engine) -> None:
    result = engine.load(path).run()
    assert result.images
    for image in result.images:
        assert max(high - low for low, high in _extremes(image)) > 50, f"{path.stem} drew next to nothing"
    assert all(file.is_file() for file in result.files)
    for file in result.files:
        if file.suffix in (".png", ".webp"):
            assert json.loads(metadata.read_workflow(file)["prompt"]) == engine.load(path).prompt


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """An engine of an installation in which nothing has been done yet."""
    return Engine(Settings(base_directory=tmp_path_factory.mktemp("fresh"), cpu=True))


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.json")), ids=lambda path: path.stem)
def test_a_shipped_workflow_can_be_run_on_a_fresh_installation(path: Path, fresh: Engine) -> None:
    for folder in (fresh.folders.input, fresh.folders.output):
        shutil.rmtree(folder, ignore_errors=True)
    explained = fresh.load(path).explain()
    assert "left out" not in explained
    assert "output" in explained


def _extremes(image: Image.Image) -> list[tuple[int, int]]:
    return [band.getextrema() for band in image.convert("RGB").split()]


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_a_shipped_workflow_has_no_problem(path: Path, engine: Engine) -> None:
    checked = engine.load(path).check()
    assert not checked.problems, checked.report()
    assert checked.outputs


@pytest.mark.parametrize("path", [*API, *(OWN / f"{each[0]}.json" for each in OF_FILES)], ids=lambda path: path.stem)
def test_its_editor_file_is_the_same_graph(path: Path, engine: Engine) -> None:
    def bare(prompt: Any) -> dict[str, Any]:
        return {node_id: (node["class_type"], node["inputs"]) for node_id, node in prompt.items()}

    editor = engine.load(path.with_suffix(".editor.json"))
    assert editor.editor is not None
    assert bare(editor.prompt) == bare(json.loads(path.read_text()))


@pytest.fixture(scope="module")
def miniatures(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """An engine over a folder with a random miniature of every kind of file that people own."""
    base = tmp_path_factory.mktemp("owner")
    miniature_files.write(base)
    return Engine(Settings(base_directory=base, cpu=True))


def small(engine: Engine, name: str) -> Workflow:
    """A graph for people's own files at 64 pixels and in few steps: miniatures show no more for it."""
    prompt = json.loads((OWN / f"{name}.json").read_text())
    latents = [node["inputs"] for node in prompt.values() if node["class_type"] == "EmptyLatentImage"]
    times = latents[0]["width"] // 64 if latents else 1
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] in ("EmptyLatentImage", "GLIGENTextBoxApply"):
            inputs |= {key: inputs[key] // times for key in SIDES if key in inputs}
        few: dict[str, Callable[[int], int]] = {
            "steps": lambda steps: min(steps, 4),
            "start_at_step": lambda step: min(step, 2),
            "end_at_step": lambda step: 2 if step < 100 else step,
        }
        inputs |= {key: change(inputs[key]) for key, change in few.items() if key in inputs}
    return engine.load(prompt)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "input_name", "other"), OF_FILES, ids=[each[0] for each in OF_FILES])
def test_a_workflow_of_files_that_people_own_draws_and_heeds_its_inputs(
    name: str, input_name: str, other: Any, miniatures: Engine
) -> None:
    workflow = small(miniatures, name)
    checked = workflow.check()
    assert not checked.problems, checked.report()
    result = workflow.run()
    changed = workflow.set(input_name, other // 8 if input_name.endswith(".width") else other).run()
    (drawn,), (redrawn,) = (each.values("Picture")[0] for each in (result, changed))
    assert drawn.isfinite().all()
    assert drawn.std() > 0.01
    assert not drawn.equal(redrawn)
    assert {(image.height, image.width) for image in result.images} == {tuple(drawn.shape[1:3])}
    assert tuple(drawn.shape) == (1, 128 if name == "upscale_model" else 64, drawn.shape[1], 3)
    assert all(path.is_file() for path in result.files)


@pytest.mark.slow
def test_a_saved_checkpoint_draws_as_what_it_was_merged_of(miniatures: Engine) -> None:
    merging = small(miniatures, "merging_and_saving").run()
    written = sorted((miniatures.folders.output / "checkpoints").iterdir())[0]
    written.rename(miniatures.folders.models / "checkpoints" / "merged.safetensors")
    plain = small(miniatures, "embedding").set("Negative.text", merging.workflow.prompt["7"]["inputs"]["text"])
    again = plain.set("CheckpointLoaderSimple.ckpt_name", "merged.safetensors").run()
    (drawn,), (redrawn,) = (each.values("Picture")[0] for each in (merging, again))
    assert (drawn - redrawn).abs().max() < 2e-2  # merged weights are rounded to sixteen bits once more


def test_the_paper_beside_them_names_each_graph_and_the_files_it_needs() -> None:
    paper = (OWN / "README.md").read_text()
    rows = dict(re.findall(r"^\| \[`(\w+)`\]\(\1\.json\) \|.*\| (.*) \|$", paper, re.MULTILINE))
    graphs = {path.name.removesuffix(templates.SUFFIX): path for path in OWN.glob(f"*{templates.SUFFIX}")}
    assert set(rows) == set(graphs) == {each[0] for each in OF_FILES}
    for name, path in graphs.items():
        needs = json.loads(path.read_text())["extra"]["latentwire"]["needs"]
        text = path.with_name(f"{name}.json").read_text()
        assert rows[name] == ", ".join(f"`{each}`" for each in needs)
        assert all(Path(each).stem in text for each in needs)
