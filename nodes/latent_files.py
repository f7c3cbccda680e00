"""Nodes that keep latents in files."""

import hashlib
import math
from typing import Annotated, Any

from engine.checkpoints import latent_files
from engine.errors import PathError
from engine.file_checks import latent_exists, prefix_stays_inside
from engine.folders import Folders
from engine.graph.define import Files, Widget, node
from engine.graph.nodetype import Result
from engine.metadata import texts
from engine.saving import save_numbered
from engine.settings import Settings
from nodes.convert import naming, samples_of
from nodes.types import ExtraJson, Latent, PromptJson

LatentName = Annotated[str, Files("input:latent", tooltip="A .latent file of the input folder.")]
Prefix = Annotated[
    str, Widget(tooltip="Folder and start of the file names; %year%, %month% and the like are filled in.")
]


def latent_fingerprint(latent: str | None, folders: Folders) -> str | float:
    """The file's content as a hash, so that a changed file is read again; NaN while its name is not known."""
    if latent is None:
        return math.nan
    with folders.input_file(latent).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@node("SaveLatent", category="_for_testing", display_name="Save Latent", is_output=True, validate=prefix_stays_inside)
def save_latent(
    *,
    samples: Latent,
    filename_prefix: Prefix = "latents/ComfyUI",
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
) -> Result:
    """Write latents into the output folder, with the workflow inside; masks are not kept."""
    said = {} if settings.disable_metadata else texts(prompt, extra_pnginfo)
    content = latent_files.packed(samples_of(samples, "samples"), said)
    with naming("filename_prefix", PathError):
        saved = save_numbered(folders.output, filename_prefix, "latent", lambda file: _write(file, content))
    shown = {"filename": saved.filename, "subfolder": saved.subfolder, "type": "output"}
    return Result(ui={"latents": [shown]})


def _write(file: Any, content: bytes) -> None:
    file.write(content)


@node(
    "LoadLatent",
    category="_for_testing",
    display_name="Load Latent",
    fingerprint=latent_fingerprint,
    validate=latent_exists,
)
def load_latent(*, latent: LatentName, folders: Folders) -> Latent:
    """Read latents from the input folder."""
    with naming("latent"):
        return {"samples": latent_files.read(folders.input_file(latent))}
