"""Nodes that treat latents as pictures, at once or in every step of a drawing: sharper, with other tones."""

from typing import Annotated

from engine.errors import SamplingError
from engine.graph.define import Widget, node
from engine.steering import latent_operations
from nodes.convert import samples_of, with_samples
from nodes.types import Latent, LatentOperation, Model

Unit = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, tooltip="What counts as bright; more changes less.")]
Radius = Annotated[int, Widget(min=1, max=31, step=1, tooltip="How far is looked, in latent cells.")]
Deviation = Annotated[float, Widget(min=0.1, max=10.0, step=0.1, tooltip="How coarse edges are, in latent cells.")]
Amount = Annotated[float, Widget(min=0.0, max=5.0, step=0.01, tooltip="How much; 0 changes nothing.")]


@node("LatentApplyOperation", category="latent/advanced/operations", is_experimental=True)
def latent_apply_operation(*, samples: Latent, operation: LatentOperation) -> Latent:
    """Do something to latents."""
    return with_samples(samples, _known(operation)(samples_of(samples, "samples")))


@node("LatentApplyOperationCFG", category="latent/advanced/operations", is_experimental=True)
def latent_apply_operation_cfg(*, model: Model, operation: LatentOperation) -> Model:
    """Do something, in every step, to what the positive has more than the negative."""
    return model.with_hooks(latent_operations.guiding(_known(operation)))


@node("LatentOperationTonemapReinhard", category="latent/advanced/operations", is_experimental=True)
def latent_operation_tonemap_reinhard(*, multiplier: Unit = 1.0) -> LatentOperation:
    """Bring down what is brightest; in every step, it lets guidance be stronger without burning."""
    return latent_operations.TonemapReinhard(multiplier)


@node("LatentOperationSharpen", category="latent/advanced/operations", is_experimental=True)
def latent_operation_sharpen(
    *, sharpen_radius: Radius = 9, sigma: Deviation = 1.0, alpha: Amount = 0.1
) -> LatentOperation:
    """Make edges stronger, without making anything brighter."""
    return latent_operations.Sharpen(sharpen_radius, sigma, alpha)


def _known(operation: LatentOperation) -> LatentOperation:
    """Raises: SamplingError, for what cannot be done to a latent."""
    if not callable(operation):
        raise SamplingError(
            f"operation: expected one from a LatentOperation node, got {type(operation).__name__}; "
            "connect LatentOperationSharpen or LatentOperationTonemapReinhard"
        )
    return operation
