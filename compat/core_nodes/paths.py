"""Fills in what `folder_paths` and `comfy.cli_args` keep in plain variables, for the host there is now."""

import importlib
import sys

from compat.host import Host


def furnish(host: Host) -> None:
    """Lets `folder_paths` show the host's folders; what plugins write there is written to them."""
    module = importlib.import_module("folder_paths")
    folders = host.folders
    # Plugins take the folder of this file for the one that holds custom_nodes, models and web.
    places = {"__file__": folders.base / "folder_paths.py", "base_path": folders.base, "models_dir": folders.models}
    roots = {f"{name}_directory": getattr(folders, name) for name in ("output", "input", "temp", "user")}
    values = {name: str(path) for name, path in {**places, **roots}.items()}
    for name, value in {**values, "folder_names_and_paths": folders.registry}.items():
        setattr(module, name, value)
    if "comfy.cli_args" in sys.modules:  # imported under an earlier host
        vars(sys.modules["comfy.cli_args"].args).clear()
