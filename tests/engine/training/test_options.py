"""A command line can offer training without waiting for torch."""

import subprocess
import sys

from engine.training.options import RECIPES
from engine.training.recipe import RECIPES as DEFINED


def test_the_options_leave_torch_unimported() -> None:
    code = "import sys, engine.training.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_recipe_on_offer_exists() -> None:
    assert set(RECIPES) == set(DEFINED)
