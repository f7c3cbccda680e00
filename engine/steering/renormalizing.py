"""Guided predictions made no longer than what the positive side alone says: two ways that models were tuned with."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from engine.sampling.hooks import Answers, Hooks, is_one
from engine.sampling.table import SigmaTable
from engine.steering.projected_guidance import lengths


def by_cells(strength: float = 1.0) -> Hooks:
    """Shortens the guided latent, cell by cell, to the positive side's length; all of it times `strength`.

    Lengths are over channels, and of clean latents. Source: diffusers' pipelines for Qwen-Image (per token) and LongCat
    (which never lengthens); that `strength` is a factor and 1 is plain, docs.comfy.org on CFGNorm.
    """

    def after(answers: Answers, guided: Tensor) -> Tensor:
        length = guided.norm(dim=1, keepdim=True).clamp(min=torch.finfo(guided.dtype).tiny)
        ratio = (answers.positive.norm(dim=1, keepdim=True) / length).clamp(0.0, 1.0)
        return guided * ratio * strength

    return Hooks(after=(after,))


def truncated(limit: float, until: float, table: SigmaTable) -> Hooks:
    """Keeps guidance to the beginning of a run, and there from being longer than `limit` positive sides.

    Lengths are those of whole pictures of noise or velocity, x − x₀. A limit of 0 is none. Guidance is used at times
    below `until`, from 0 (noise) to 1 (picture); an `until` above 1 is the whole run. On a straight path the time is
    1 − σ; the other networks' noise levels are told as the straight path's that drowns as much, 1 / (1 + σ).

    Source: Lumina-Image 2.0, arXiv 2503.21758 (CFG-Renorm and CFG-Trunc); diffusers' Z-Image for limits.
    """
    if limit == 0.0 and until > 1.0:
        return Hooks()
    is_guided = _before(until, table)

    def before(answers: Answers) -> Answers:
        return answers if is_guided(answers) else replace(answers, negative=answers.positive)

    def after(answers: Answers, guided: Tensor) -> Tensor:
        if limit == 0.0 or is_one(answers.cfg) or not is_guided(answers):
            return guided
        noise = answers.x - guided
        length = lengths(noise).clamp(min=torch.finfo(noise.dtype).tiny)
        ratio = limit * lengths(answers.x - answers.positive) / length
        return torch.where(ratio < 1.0, answers.x - noise * ratio, guided)

    return Hooks(before=() if until > 1.0 else (before,), after=(after,))


def _before(until: float, table: SigmaTable) -> Callable[[Answers], bool]:
    """Whether answers are of a time of the run below this one."""

    def is_before(answers: Answers) -> bool:
        sigma = float(answers.sigma)
        return (1.0 - sigma if table.flow else 1.0 / (1.0 + sigma)) < until

    return is_before
