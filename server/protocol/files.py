"""Users' files: pictures, uploads, what the editor keeps. Units: sizes are bytes."""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict

FolderType: TypeAlias = Literal["output", "input", "temp"]


class FileName(TypedDict):
    """A file as /view finds it."""

    filename: str
    subfolder: str
    type: FolderType


class Uploaded(TypedDict):
    """The answer of POST /upload/image and /upload/mask."""

    name: str
    subfolder: str
    type: str


class DrawnPicture(FileName):
    """A picture in GET /api/pictures. Units: modified is milliseconds since 1970.

    width, height: null where the file cannot be read.
    """

    size: int
    modified: int
    width: int | None
    height: int | None


class PicturePage(TypedDict):
    """The answer of GET /api/pictures, the newest first. next: the cursor of the page after it, null at the end."""

    pictures: Sequence[DrawnPicture]
    next: str | None


class UserFile(TypedDict):
    """A file of /userdata with full_info. Units: modified and created are milliseconds since 1970."""

    path: str
    size: int
    modified: int
    created: int


class UserEntry(TypedDict):
    """A file or a folder in GET /v2/userdata. Units: modified is milliseconds since 1970."""

    name: str
    path: str
    type: Literal["file", "directory"]
    size: NotRequired[int]
    modified: NotRequired[int]


class Template(TypedDict):
    """A workflow that ships. path: where it is to be had, below /api. needs: files of one's own, below models/."""

    name: str
    title: str
    description: str
    path: str
    needs: Sequence[str]


class Failure(TypedDict):
    """The body of an answer with a status from 400 on; only POST /prompt has a richer one."""

    error: str


class OneUser(TypedDict):
    """The answer of GET /users where the files of one person are kept. migrated: whether there are any yet."""

    storage: Literal["server"]
    migrated: bool


class ManyUsers(TypedDict):
    """The same with --multi-user: names by the id that the header comfy-user takes."""

    storage: Literal["server"]
    users: Mapping[str, str]


class ModelFolder(TypedDict):
    """A kind of model in GET /experiment/models."""

    name: str
    folders: Sequence[str]


class ModelFile(TypedDict):
    """A file in GET /experiment/models/{folder}. Units: modified and created are seconds since 1970.

    pathIndex: which of the kind's folders it is in.
    """

    name: str
    pathIndex: int
    modified: float
    created: float
    size: int
