"""The numbers by which a waiting job stands elsewhere in the queue. Pure."""

from collections.abc import Mapping, Sequence

from server.jobs.job import Brief
from server.jobs.numbering import Numbering, exact


def renumbered(job: Brief, others: Sequence[Brief], place: int, numbering: Numbering) -> Mapping[str, float]:
    """The new numbers, by job, that put a job in front of `others[place]`, or behind all of them.

    Mostly it is that of the job alone; where no number is left between its neighbours, all are numbered anew.
    others: those that wait besides it, in their order.
    """
    before = others[place - 1] if place > 0 else None
    after = others[place] if place < len(others) else None
    number = _between(before, after, numbering)
    rank = (number, job.sequence)
    if (before is None or _rank(before) < rank) and (after is None or rank < _rank(after)):
        return {job.id: number}
    order = [*others[:place], job, *others[place:]]
    return {each.id: number for each, number in zip(order, numbering.anew(len(order)), strict=True)}


def _between(before: Brief | None, after: Brief | None, numbering: Numbering) -> float:
    if after is None:
        return numbering.behind(before.number) if before is not None else numbering.behind(0)
    if before is None:
        return numbering.in_front_of(after.number)
    if before.number == after.number:
        return before.number
    return exact(before.number / 2 + after.number / 2)


def _rank(brief: Brief) -> tuple[float, int]:
    return brief.number, brief.sequence
