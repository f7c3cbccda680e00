"""Every error a user of Latentwire can meet, by name.

A message says what was expected, what came, and what to do. Whoever raises one writes it for the person who drew the
graph, not for the person who wrote the engine.
"""


class LatentwireError(Exception):
    """Something the user can understand and act on; never shown with a traceback.

    input: the node's input it is about, where one is to blame; whoever shows the error names it.
    """

    input: str | None = None


class PromptError(LatentwireError):
    """A workflow that cannot be read: not JSON, of the wrong shape, or of a kind nobody knows."""


class NodeTypeError(LatentwireError):
    """A node type that contradicts itself or one already registered; its author must change it."""


class PathError(LatentwireError):
    """A file or folder that is missing, not writable, or outside the folders it must stay in."""


class SettingsError(LatentwireError):
    """An option on the command line or in a settings file that cannot be used."""


class CheckpointError(LatentwireError):
    """A weights file that is damaged, unsafe, or of no family we know."""


class TextError(LatentwireError):
    """A prompt text that cannot be encoded: a weight that is no usable number."""


class ImageError(LatentwireError):
    """A file that is no picture, or a picture too large to open."""


class SamplingError(LatentwireError):
    """Sampling was asked for something that has no answer: an unknown sampler, conditions that do not fit the model."""


class TrainingError(LatentwireError):
    """Training cannot start or go on: data that is missing or altered, or a state of another recipe."""


class OutOfMemory(LatentwireError):
    """The device has no room left and every smaller way of doing the work was tried."""


class NodeFailed(LatentwireError):
    """A node raised. Carries where and with what; the original error is `__cause__`."""

    def __init__(self, message: str, *, node_id: str, class_type: str) -> None:
        super().__init__(message)
        self.node_id = node_id
        self.class_type = class_type


class Cancelled(BaseException):
    """The user asked to stop. A BaseException, so that a node's `except Exception` does not swallow it."""
