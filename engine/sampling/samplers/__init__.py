"""Ways from noise to picture, one file per family; `registry` knows them by name."""

from engine.sampling.samplers.registry import SAMPLERS, Sampler, sampler

__all__ = ["SAMPLERS", "Sampler", "sampler"]
