"""A node that keeps what one model learned beyond another in a file: LoRA extraction."""

import logging
from collections.abc import Mapping
from typing import Annotated, Literal

from engine.adapters import extraction
from engine.adapters.extraction import Wish
from engine.checkpoints.save import write_tensors
from engine.errors import CheckpointError, PathError
from engine.file_checks import prefix_stays_inside
from engine.folders import Folders
from engine.graph.define import Widget, node
from engine.graph.nodetype import Result
from engine.graph.run import Run
from engine.metadata import texts
from engine.saving import save_numbered
from engine.settings import Settings
from nodes.convert import naming
from nodes.types import Clip, ExtraJson, Model, PromptJson

log = logging.getLogger(__name__)

Prefix = Annotated[
    str,
    Widget(
        multiline=False,
        tooltip="Folder and start of the file names; %year%, %month% and the like are filled in.",
    ),
]
Rank = Annotated[int, Widget(min=1, max=4096, step=1, tooltip="How wide its matrices are: the more, the closer.")]


@node("LoraSave", category="_for_testing", is_output=True, is_experimental=True, validate=prefix_stays_inside)
def lora_save(
    *,
    filename_prefix: Prefix = "loras/ComfyUI_extracted_lora",
    rank: Rank = 8,
    lora_type: Literal["standard", "full_diff"],
    bias_diff: bool = True,
    model_diff: Model | None = None,
    text_encoder_diff: Clip | None = None,
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
    run: Run,
) -> Result:
    """Keep the difference of two models, of ModelMergeSubtract and CLIPMergeSubtract, as a LoRA.

    bias_diff: biases and norms as well.
    """
    made = _extracted(model_diff, text_encoder_diff, Wish(rank, lora_type, bias_diff), run)
    info = {} if settings.disable_metadata else texts(prompt, extra_pnginfo)
    return _write(folders, filename_prefix, made, {**extraction.metadata(model_diff, rank), **info})


def _write(folders: Folders, prefix: str, made: extraction.Entries, said: Mapping[str, str]) -> Result:
    if made:
        with naming("filename_prefix", PathError):
            save_numbered(folders.output, prefix, "safetensors", lambda file: write_tensors(file, made, said))
    return Result()


def _extracted(model: Model | None, clip: Clip | None, wish: Wish, run: Run) -> extraction.Entries:
    """The entries of the file, the run being told of each weight. Raises: CheckpointError, where nothing changed."""
    parts = [] if model is None else [extraction.of_model(model)]
    parts += [] if clip is None else [extraction.of_text(clip)]
    if not parts:
        log.warning("LoraSave: neither model_diff nor text_encoder_diff is connected, so no file is written")
    total, made, before = sum(len(part.weights) for part in parts), {}, 0
    for part in parts:
        with naming(part.what):
            made.update(extraction.extracted(part, wish, _telling(run, before, total)))
        before += len(part.weights)
    if parts and not made:
        raise CheckpointError(
            f"{' and '.join(part.what for part in parts)}: the two models are the same, so there is nothing to save; "
            "subtract the one that the other was trained from"
        )
    return made


def _telling(run: Run, before: int, total: int) -> extraction.Tell:
    def tell(done: int) -> None:
        run.stop_if_cancelled()
        run.progress(before + done, total)

    return tell
