"""What a model family is: how its files are told apart, and where in them its parts are. Data, not code.

Conditions speak of the denoiser's tensors, their prefix removed. A key that begins with `*` means the first tensor
whose name ends like this; one that begins with `/` is the full name in the file.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from engine.checkpoints.tensors import Shape, Shapes
from engine.models.latent_format import LatentFormat
from engine.sampling.betas import BetaSchedule
from engine.sampling.prediction import Kind
from engine.sampling.vectors import VectorKind
from engine.text.tokenizer import END


class Condition(Protocol):
    """Something that holds of every file of a family."""

    def holds(self, shapes: Shapes) -> bool:
        """Does it hold of these tensors?"""
        ...

    def text(self) -> str:
        """It, as a person reads it."""
        ...


@dataclass(frozen=True)
class HasAny:
    """At least one of these tensors is there."""

    keys: tuple[str, ...]
    meaning: str

    def holds(self, shapes: Shapes) -> bool:
        return any(find(shapes, key) is not None for key in self.keys)

    def text(self) -> str:
        return f"{self.meaning} ({' or '.join(self.keys)})"


@dataclass(frozen=True)
class Lacks:
    """This tensor is not there."""

    key: str
    meaning: str

    def holds(self, shapes: Shapes) -> bool:
        return find(shapes, self.key) is None

    def text(self) -> str:
        return f"no {self.meaning} ({self.key})"


@dataclass(frozen=True)
class Size:
    """A tensor has one of these sizes along an axis."""

    key: str
    axis: int
    sizes: tuple[int, ...]
    meaning: str

    def holds(self, shapes: Shapes) -> bool:
        shape = find(shapes, self.key)
        return shape is not None and len(shape) > self.axis and shape[self.axis] in self.sizes

    def text(self) -> str:
        return f"{self.meaning} {' or '.join(map(str, self.sizes))} ({self.key})"


@dataclass(frozen=True)
class Axes:
    """A tensor has this many axes."""

    key: str
    count: int
    meaning: str

    def holds(self, shapes: Shapes) -> bool:
        shape = find(shapes, self.key)
        return shape is not None and len(shape) == self.count

    def text(self) -> str:
        return f"{self.meaning} ({self.key} with {self.count} axes)"


def find(shapes: Shapes, key: str) -> Shape | None:
    """The shape of the tensor that a condition means, or None."""
    if key.startswith("*"):
        return next((shape for name, shape in shapes.items() if name.endswith(key[1:])), None)
    return shapes.get(key)


@dataclass(frozen=True)
class TextSpec:
    """A text encoder inside a family's files, below `prefix` (or, in some files, one of `elsewhere`).

    `id` is how embedding files name it; `padding` the token behind the end of a text; `final_norm` whether a layer
    chosen by clip skip is still normalised; `is_projected` whether the summary is.
    """

    id: str
    prefix: str
    padding: int = END
    last_layer: int = -1
    final_norm: bool = True
    activation: str = "quick_gelu"
    is_projected: bool = False
    elsewhere: tuple[str, ...] = ()

    def below(self, prefix: str, *elsewhere: str) -> "TextSpec":
        """The same encoder in another family's files."""
        return replace(self, prefix=prefix, elsewhere=elsewhere)


@dataclass(frozen=True)
class Family:
    """A kind of model whose files share one layout.

    `is_supported` False: we know it when we see it, and say so. `prediction` is what the network tells unless the
    file says otherwise. `vector`
    what it is told besides the text (engine/sampling/vectors.py); `vision_prefix` where its CLIP vision is.
    `float32_attention`: half precision overflows in it. `betas` are its noise levels where they are not Stable
    Diffusion's usual ones.
    """

    id: str
    name: str
    conditions: tuple[Condition, ...]
    latent_format: LatentFormat | None = None
    texts: tuple[TextSpec, ...] = ()
    vae_prefix: str = "first_stage_model."
    prediction: Kind = "eps"
    is_supported: bool = True
    vector: VectorKind | None = None
    vision_prefix: str = ""
    float32_attention: bool = False
    betas: BetaSchedule | None = None

    def unmet(self, shapes: Shapes) -> list[Condition]:
        """Why a file is not of this family; empty when it is."""
        return [condition for condition in self.conditions if not condition.holds(shapes)]
