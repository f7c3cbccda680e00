"""The whole recipe, a step of each phase: what comes out is a checkpoint that the ordinary loader draws with."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from engine.checkpoints.load import Loader
from engine.errors import TrainingError
from engine.training import icons, studio
from engine.training.dataset import Icons
from engine.training.evaluation import Exam, evaluate
from engine.training.judge import questions
from engine.training.options import Options, add_arguments
from engine.training.recipe import RECIPES, REDUCED
from engine.training.vocabulary import core_subjects, reduced_concepts


def keep_drawn_icons(folder: Path) -> None:
    """Coloured discs in the place of all icons, so that nothing need be fetched."""
    subjects = [concept.subject for concept in reduced_concepts()]
    pictures = []
    for number in range(len(subjects)):
        picture = Image.new("RGBA", (128, 128), (0, 0, 0, 0))
        ImageDraw.Draw(picture).ellipse((10, 10, 118, 118), fill=(number * 2, 255 - number * 2, 90))
        pictures.append(np.asarray(picture))
    for style in REDUCED.styles:
        Icons(np.stack(pictures), (style,) * len(subjects), tuple(subjects)).save(folder / "icons" / f"{style}_128.npz")


@pytest.mark.slow
def test_one_step_of_every_phase_makes_a_checkpoint_that_draws(tmp_path: Path) -> None:
    keep_drawn_icons(tmp_path)
    output = tmp_path / "made.safetensors"
    chosen = Options("reduced", tmp_path, output, "cpu", stretch=1e-6, scenes=8)
    assert icons.train(chosen) == output
    assert 25e6 < output.stat().st_size < 40e6
    checkpoint = Loader().checkpoint(output)
    assert checkpoint.clip is not None
    assert checkpoint.clip.encode("a fox")[0].shape == (1, 77, 192)
    (picture,) = studio.draw(output, ["a fox"], [1], studio.Brush(steps=2))
    assert picture.shape == (3, 128, 128)
    assert bool(torch.isfinite(picture).all())
    workshop = icons.Workshop(chosen)
    asked = questions("reduced")[:2]
    brush = studio.Brush(steps=1)
    exam = Exam(output, asked, workshop.icons, workshop.catalogue, workshop.icons, workshop.recipe.mix, brush, 4)
    measured = evaluate(exam, tmp_path / "report")
    assert 0 <= measured.top1 <= measured.top5 <= 1
    assert len(measured.missed) == round((1 - measured.top5) * 2)
    assert 0 < measured.vae_psnr < 40
    assert measured.eps_mse == pytest.approx(1.0, abs=0.5)
    assert measured.count is None
    assert (tmp_path / "report" / "judged.png").exists()
    steps = [torch.load(tmp_path / f"{name}.pt", weights_only=True)["step"] for name in icons.PHASES]
    assert steps == [1, 1, 1, 1]


def test_a_command_line_becomes_options() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert icons.options(parser.parse_args(["--device", "cpu"])) == Options(device="cpu")
    chosen = icons.options(parser.parse_args(["--recipe", "full", "--minutes", "5", "--device", "cpu"]))
    assert (chosen.recipe, chosen.minutes) == ("full", 5.0)


def test_a_rank_outside_the_processes_is_refused() -> None:
    with pytest.raises(TrainingError, match="rank 2 of 2"):
        icons.train(Options(rank=2, processes=2))


def test_recipes_teach_only_styles_that_are_not_held_out() -> None:
    assert set(RECIPES) == {"full", "reduced"}
    assert not {"streamline", "fxemoji"} & {style for recipe in RECIPES.values() for style in recipe.styles}


def test_everyday_subjects_are_among_the_core_ones() -> None:
    everyday = [concept.subject for concept in reduced_concepts()]
    assert 100 <= len(set(everyday)) == len(everyday) <= 150
    assert set(everyday) <= set(core_subjects())
    names = [name for concept in reduced_concepts() for name in concept.names]
    assert len(set(names)) == len(names)
