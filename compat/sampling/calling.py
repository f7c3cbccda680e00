"""One look of the model under several lists of conditions: the inside of comfy.samplers.calc_cond_batch.

Conditions of one hook group are asked about together, as many as memory holds; the weights of scheduled LoRAs change
between groups.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import comfy
import torch
from torch import Tensor

from compat.sampling.asking import ROOM_NEEDED, Batch, CondObj, Sums, leftovers, shapes_of
from engine.devices import memory
from engine.devices.streaming import lighten

Options = dict[str, Any]
Signed = tuple[int, CondObj]


def wrapped(
    model: Any, conds: Sequence[list[Any] | None], x_in: Tensor, timestep: Tensor, model_options: Options
) -> list[Tensor]:
    """The look with plugins' wrappers around it. Shapes and returns: as comfy.samplers.calc_cond_batch."""
    kind = comfy.patcher_extension.WrappersMP.CALC_COND_BATCH
    wrappers = comfy.patcher_extension.get_all_wrappers(kind, model_options, is_model_options=True)
    executor = comfy.patcher_extension.WrapperExecutor.new_executor(look, wrappers)
    answers: list[Tensor] = executor.execute(model, conds, x_in, timestep, model_options)
    return answers


def look(
    model: Any, conds: Sequence[list[Any] | None], x_in: Tensor, timestep: Tensor, model_options: Options
) -> list[Tensor]:
    """The look itself."""
    sums = [Sums.like(x_in) for _ in conds]
    patcher: Any = getattr(model, "current_patcher", None)
    if patcher is not None:
        patcher.prepare_state(timestep)
    groups = _by_hooks(_questions(conds, x_in, timestep))
    for hooks in (each for each, _ in groups if each is not None and patcher is not None):
        patcher.prepare_hook_patches_current_keyframe(timestep, hooks, model_options)
    for hooks, questions in groups:
        options = _options(model_options, patcher, hooks)
        for batch in _batches(model, questions, x_in):
            _ask(model, batch, timestep, {**model_options, "transformer_options": options}, sums)
    return [each.mean() for each in sums]


def start_hooks(model: Any, conds: Sequence[dict[str, Any]]) -> None:
    """Turns the shares of the run at which hooks change into noise levels."""
    for cond in conds:
        for hook in getattr(cond.get("hooks"), "hooks", ()):
            hook.initialize_timesteps(model)


def _questions(conds: Sequence[list[Any] | None], x_in: Tensor, timestep: Tensor) -> list[Signed]:
    """What is to be asked now, with the number of the list it is of. Default conditions fill what others leave."""
    found: list[Signed] = []
    defaults: list[Signed] = []
    for sign, side in enumerate(conds):
        for cond in side or ():
            question = comfy.samplers.get_area_and_mult(cond, x_in, timestep)
            if question is not None:
                (defaults if cond.get("default") else found).append((sign, question))
    filled: list[Signed] = []
    for sign, question in defaults:
        left = leftovers(found, sign, x_in)
        if float(left.max()) > 0:
            filled.append((sign, question._replace(mult=comfy.samplers.cut(left, question.area))))
    return [*found, *filled]


def _by_hooks(questions: Sequence[Signed]) -> list[tuple[Any, list[Signed]]]:
    groups: list[tuple[Any, list[Signed]]] = []
    for signed in questions:
        hooks = signed[1].hooks
        group = next((each for known, each in groups if known is hooks or (known is not None and known == hooks)), None)
        if group is None:
            groups.append((hooks, [signed]))
        else:
            group.append(signed)
    return groups


def _options(model_options: Options, patcher: Any, hooks: Any) -> Options:
    """The transformer_options of a hook group, with the model's weights changed for it."""
    options = dict(model_options.get("transformer_options", {}))
    added = patcher.apply_hooks(hooks=hooks) if patcher is not None else None
    return comfy.patcher_extension.merge_nested_dicts(options, added) if added else options


def _batches(model: Any, questions: Sequence[Signed], x_in: Tensor) -> Iterator[Batch]:
    """Questions that go together, no more at a time than free memory holds."""
    waiting = list(questions)
    while waiting:
        _, first = waiting[0]
        mates = [each for each in waiting if comfy.samplers.can_concat_cond(first, each[1])]
        free = comfy.model_management.get_free_memory(x_in.device)
        count = next(n for n in range(len(mates), 0, -1) if n == 1 or _fits(model, mates[:n], free))
        taken = mates[:count]
        waiting = [each for each in waiting if not any(each is other for other in taken)]
        yield Batch([question for _, question in taken], [sign for sign, _ in taken])


def _fits(model: Any, mates: Sequence[Signed], free: float) -> bool:
    questions = [question for _, question in mates]
    rows, *shape = questions[0].input_x.shape
    needed = model.memory_required([rows * len(mates), *shape], cond_shapes=shapes_of(questions))
    return bool(needed * ROOM_NEEDED < free)


def _ask(model: Any, batch: Batch, timestep: Tensor, options: Options, sums: Sequence[Sums]) -> None:
    """Asks a batch, in halves where memory was not enough after all, and adds up the answers."""
    comfy.model_management.throw_exception_if_processing_interrupted()
    failure: Exception | None = None
    try:
        answers = _answers(model, batch, timestep, options)
    except Exception as error:
        # Anything else is the network's or a plugin's own error, and not for us to answer.
        if not memory.is_out_of_memory(error):
            raise
        failure = error.with_traceback(None)  # which holds the tensors that did not fit
    if failure is not None:
        memory.release_unused(batch.questions[0].input_x.device)
        if len(batch.questions) == 1:
            if not lighten(getattr(model, "diffusion_model", None)):
                raise failure
            _ask(model, batch, timestep, options, sums)
            return
        half = len(batch.questions) // 2
        for part in (slice(0, half), slice(half, None)):
            _ask(model, Batch(batch.questions[part], batch.signs[part]), timestep, options, sums)
        return
    for question, sign, answer in zip(batch.questions, batch.signs, answers, strict=True):
        sums[sign].add_(answer, question)


def _answers(model: Any, batch: Batch, timestep: Tensor, model_options: Options) -> tuple[Tensor, ...]:
    questions, count = batch.questions, len(batch.questions)
    first = questions[0]
    x = torch.cat([each.input_x for each in questions])
    times = torch.cat([timestep] * count)
    options = dict(model_options["transformer_options"])
    if first.patches is not None:
        options["patches"] = comfy.patcher_extension.merge_nested_dicts(options.get("patches", {}), first.patches)
    options["cond_or_uncond"] = list(batch.signs)
    options["uuids"] = [each.uuid for each in questions]
    options["sigmas"] = timestep
    c = comfy.samplers.cond_cat([each.conditioning for each in questions])
    c["transformer_options"] = options
    if first.control is not None:
        c["control"] = first.control.get_control(x, times, c, count, options)
    wrapper = model_options.get("model_function_wrapper")
    if wrapper is None:
        answer = model.apply_model(x, times, **c)
    else:
        told = {"input": x, "timestep": times, "c": c, "cond_or_uncond": list(batch.signs)}
        answer = wrapper(model.apply_model, told)
    return tuple(answer.chunk(count))
