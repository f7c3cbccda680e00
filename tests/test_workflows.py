"""The workflows that ship run, and their editor files say the same; those for files people own run with miniatures."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from engine.settings import Settings
from latentwire import Engine
from tests import miniature_files

WORKFLOWS = Path(__file__).resolve().parent.parent / "workflows"
API = sorted(path for path in WORKFLOWS.glob("*.json") if not path.name.endswith(".editor.json"))
NEEDING_FILES = Path(__file__).parent / "data" / "workflows_of_files"
OF_FILES: list[tuple[str, str, Any]] = [
    ("sdxl_base_and_refiner", "CLIPTextEncodeSDXLRefiner.ascore", 2.5),
    ("sd2_v_prediction", "ModelSamplingDiscrete.sampling", "eps"),
    ("inpainting_model", "KSampler.seed", 8),
    ("instruct_pix2pix", "Positive.text", "make it a pear"),
    ("unclip", "unCLIPConditioning.strength", 0.2),
    ("controlnet_and_t2i_adapter", "T2I-Adapter.strength", 0.2),
    ("control_lora", "ControlNetApplyAdvanced.strength", 0.2),
    ("lora_and_dora", "DoRA.strength_model", 0.2),
    ("embedding", "Positive.text", "a red apple, (embedding:glow:0.4)"),
    ("hypernetwork", "HypernetworkLoader.strength", 0.2),
    ("merging_and_saving", "ModelMergeSimple.ratio", 0.9),
    ("gligen", "GLIGENTextBoxApply.width", 56),
    ("ip_adapter_plus", "IPAdapterAdvanced.weight", 0.2),
    ("upscale_model", "ImageScale.upscale_method", "bilinear"),
    ("tiled_vae", "KSampler.denoise", 0.9),
    ("scheduled_lora", "CreateHookKeyframesInterpolated.strength_start", 0.1),
    ("latent_files", "KSampler.denoise", 0.9),
    ("animated_webp", "KSampler.seed", 8),
]
"""Graphs that need such files, and an input whose other value must change the picture."""
SHAPES = {"tiled_vae": (1, 96, 128, 3), "animated_webp": (3, 64, 64, 3)}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(input_directory=WORKFLOWS))  # where the pictures are that they load


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_a_shipped_workflow_has_no_problem(path: Path, engine: Engine) -> None:
    checked = engine.load(path).check()
    assert not checked.problems, checked.report()
    assert checked.outputs


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "input_name", "other"), OF_FILES, ids=[each[0] for each in OF_FILES])
def test_a_workflow_of_files_that_people_own_draws_and_heeds_its_inputs(
    name: str, input_name: str, other: Any, miniatures: Engine
) -> None:
    workflow = miniatures.load(NEEDING_FILES / f"{name}.json")
    checked = workflow.check()
    assert not checked.problems, checked.report()
    result, changed = workflow.run(), workflow.set(input_name, other).run()
    (drawn,), (redrawn,) = (each.values("Picture")[0] for each in (result, changed))
    assert drawn.isfinite().all()
    assert drawn.std() > 0.01
    assert not drawn.equal(redrawn)
    assert {(image.height, image.width) for image in result.images} == {tuple(drawn.shape[1:3])}
    assert tuple(drawn.shape) == SHAPES.get(name, (1, 64, 64, 3))
    assert all(path.is_file() for path in result.files)


@pytest.mark.slow
def test_what_is_written_beside_pictures_is_read_again(miniatures: Engine) -> None:
    """A saved checkpoint draws as the merged parts do, and a saved latent is the latent."""
    merging = miniatures.load(NEEDING_FILES / "merging_and_saving.json").run()
    written = sorted((miniatures.folders.output / "checkpoints").iterdir())[0]
    written.rename(miniatures.folders.path("checkpoints", "sd1.safetensors").with_name("merged.safetensors"))
    plain = miniatures.load(NEEDING_FILES / "embedding.json").set("Positive.text", "a red apple")
    again = plain.set("CheckpointLoaderSimple.ckpt_name", "merged.safetensors").run()
    (drawn,), (redrawn,) = (each.values("Picture")[0] for each in (merging, again))
    assert (drawn - redrawn).abs().max() < 2e-2  # merged weights are rounded to sixteen bits once more
    latent = miniatures.load(NEEDING_FILES / "latent_files.json").run()
    file = sorted((miniatures.folders.output / "latents").iterdir())[0]
    (samples,) = latent.values("KSampler")[0]
    assert load_file(file)["latent_tensor"].equal(samples["samples"])
