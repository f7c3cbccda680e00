"""A job in the three shapes clients know: an item of /queue, an entry of /history, a job of /api/jobs.

Pure. Secrets that a client sent along are in none of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.jobs.job import SECRETS, Job, Output, State
from server.protocol import jobs as protocol
from server.protocol.prompts import ExtraData

STATUSES: Mapping[protocol.JobStatus, State] = {
    "pending": State.WAITING,
    "in_progress": State.RUNNING,
    "completed": State.SUCCEEDED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
}
"""What /api/jobs calls the states."""

MAX_PREVIEW_TEXT = 1024  # characters of a text in a list of jobs; the whole is in the job's outputs

_NAMES = {state: name for name, state in STATUSES.items()}
_VISUAL = frozenset({"images", "image", "gifs", "video", "videos", "3d"})
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp", ".svg", ".tif", ".tiff")
_FILMS = (".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v")
_BODIES = (".glb", ".gltf", ".obj", ".fbx", ".stl", ".ply", ".splat", ".usdz")
_VISUAL_FILES = (*_PICTURES, *_FILMS, *_BODIES)
_SOUNDS = (".mp3", ".wav", ".flac", ".ogg", ".opus", ".m4a", ".aac")
_TEXT_FILES = (".txt", ".md", ".json", ".csv", ".yaml", ".yml", ".xml", ".srt", ".log", ".html")


def prompt_tuple(job: Job) -> protocol.QueueItem:
    """[number, id, prompt, extra_data, output nodes], as /queue and /history have it."""
    return job.number, job.id, job.prompt, extra_data(job), list(job.outputs)


def extra_data(job: Job) -> ExtraData:
    """What the client sent along, with who sent it and when, and without secrets."""
    kept = {name: value for name, value in job.extra_data.items() if name not in SECRETS}
    result: ExtraData = {**kept, "create_time": job.created}  # type: ignore[typeddict-item]
    if job.client_id is not None:
        result["client_id"] = job.client_id
    return result


def history_entry(job: Job) -> protocol.HistoryEntry:
    """The entry of a job in /history."""
    return {
        "prompt": prompt_tuple(job),
        "outputs": outputs(job),
        "meta": {each.node: _meta(each) for each in job.shown},
        "status": status(job),
    }


def outputs(job: Job) -> dict[str, Mapping[str, Any]]:
    """What its nodes showed, by node."""
    return {each.node: each.ui for each in job.shown}


def status(job: Job) -> protocol.JobEnd:
    """How a job ended. `cause` and `timings` are ours."""
    is_success = job.state is State.SUCCEEDED
    return {
        "status_str": "success" if is_success else "error",
        "completed": is_success,
        "messages": [(type, data) for type, data in job.messages],
        "cause": job.cause,
        "timings": [
            {
                "node": each.node,
                "display_node": each.display_node or each.node,
                "class_type": each.class_type,
                "start": each.start,
                "seconds": each.seconds,
            }
            for each in job.spans
        ],
    }


def listed(job: Job) -> protocol.Job:
    """A job as a list of /api/jobs shows it; what is unknown is left out."""
    shown = list(_items(job.shown))
    result: protocol.Job = {
        "id": job.id,
        "status": _NAMES[job.state],
        "priority": job.number,
        "create_time": job.created,
        "outputs_count": len(shown),
        "previewable_outputs_count": sum(each.rank is not None for each in shown),
    }
    _add_ends(job, result)
    found = preview(shown)
    if found is not None:
        result["preview_output"] = found
    if job.workflow_id is not None:
        result["workflow_id"] = job.workflow_id
    return result


def _add_ends(job: Job, result: protocol.Job) -> None:
    if job.started is not None and job.state is not State.WAITING:
        result["execution_start_time"] = job.started
    if job.ended is not None and job.started is not None:
        result["execution_end_time"] = job.ended
    if job.error is not None:
        result["execution_error"] = job.error
    if job.cause is not None:
        result["cause"] = job.cause


def detailed(job: Job) -> protocol.JobDetail:
    """A job with all there is to know, as /api/jobs/{id} shows it."""
    workflow: protocol.JobWorkflow = {"prompt": job.prompt, "extra_data": extra_data(job)}
    result: protocol.RunningJob = {**listed(job), "outputs": outputs(job), "workflow": workflow}
    return {**result, "execution_status": status(job)} if job.state.is_end else {**result}


def _meta(output: Output) -> protocol.OutputMeta:
    return {
        "node_id": output.node,
        "display_node": output.display_node,
        "parent_node": output.parent_node,
        "real_node_id": output.real_node or output.node,
    }


# --- which of a job's outputs stands for it ---


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing a node showed. rank: the lower the better it stands for the job; None: it cannot."""

    node: str
    media: str
    value: Any
    rank: int | None


def preview(items: list[_Item]) -> protocol.JobPreview | None:
    """The one output that is shown for a job: a saved picture or video, any other, a text file, a text."""
    best = min((each for each in items if each.rank is not None), key=lambda each: each.rank or 0, default=None)
    if best is None:
        return None
    about: protocol.JobPreview = {"nodeId": best.node, "mediaType": best.media}
    if isinstance(best.value, str):
        return {**about, "content": best.value[:MAX_PREVIEW_TEXT]}
    return {"subfolder": "", "type": "output", **best.value, **about}


def _items(shown: Sequence[Output]) -> Iterator[_Item]:
    """Files and texts, one by one; flags such as `animated` are no outputs."""
    for output in shown:
        for media, values in output.ui.items():
            for value in values if isinstance(values, list | tuple) else ():
                if isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("filename"), str)):
                    yield _Item(output.node, media, value, _rank(media, value))


def _rank(media: str, value: Any) -> int | None:
    if isinstance(value, str):
        return 3 if media == "text" else None
    name = value["filename"].lower()
    if name.endswith(_TEXT_FILES):
        return 2
    if media in _VISUAL or name.endswith(_VISUAL_FILES):
        return 0 if value.get("type", "output") == "output" else 1
    return 4 if media == "audio" or name.endswith(_SOUNDS) else None
