"""How pip makes Latentwire's wheel: setuptools, after the editor was built.

An in-tree build backend (PEP 517): everything is setuptools' own, but wheels wait for the editor, and Node.js comes
from PyPI where this computer has none that is new enough.
"""

import sys
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (  # noqa: F401 - the doors that pip knocks at
    build_sdist,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build as editor


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """What the build needs: Node.js, unless it is there."""
    wheels = [] if editor.own_npm() else [f"{editor.WHEEL}>=22"]
    return [*build_meta.get_requires_for_build_wheel(config_settings), *wheels]


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """The same for `pip install --editable`."""
    return get_requires_for_build_wheel(config_settings)


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """A wheel with the editor inside. Raises: BuildError."""
    editor.build()
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """An editable install, with the editor built in place where that is possible; the server runs without it too."""
    try:
        editor.build()
    except editor.BuildError as error:
        sys.stderr.write(f"The editor was not built: {error}\n")
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
