"""server.requests.budget: never more than there is, nobody overtaken, nothing lost when somebody gives up."""

import asyncio

import pytest

from server.requests.budget import Budget


def test_never_more_is_taken_than_there_is_and_everybody_has_a_turn() -> None:
    async def scenario() -> None:
        budget, taken, most, served = Budget(10), 0, 0, []

        async def use(name: int, size: int) -> None:
            nonlocal taken, most
            async with budget.take(size):
                taken += min(size, 10)
                most = max(most, taken)
                await asyncio.sleep(0)
                served.append(name)
                taken -= min(size, 10)

        await asyncio.gather(*(use(name, size) for name, size in enumerate([3, 3, 10, 1, 99, 4, 4, 4, 2])))
        assert most == 10
        assert served == sorted(served)

    asyncio.run(scenario())


def test_a_large_one_is_not_overtaken_by_small_ones() -> None:
    async def scenario() -> None:
        budget, order = Budget(10), []

        async def use(size: int) -> None:
            async with budget.take(size):
                order.append(size)
                await asyncio.sleep(0.01)

        await asyncio.gather(*(use(size) for size in (5, 9, 1, 2)))
        assert order == [5, 9, 1, 2]

    asyncio.run(scenario())


def test_who_gives_up_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        budget = Budget(10)

        async def use(size: int) -> None:
            async with budget.take(size):
                await asyncio.sleep(3600)

        holder, *others = [asyncio.create_task(use(size)) for size in (10, 6, 6, 1)]
        await asyncio.sleep(0)
        others[1].cancel()
        await asyncio.sleep(0)
        holder.cancel()  # the next two have been given their turn when they are cancelled
        await asyncio.sleep(0)
        for each in others:
            each.cancel()
        await asyncio.gather(holder, *others, return_exceptions=True)
        async with asyncio.timeout(5), budget.take(10):
            pass

    asyncio.run(scenario())


def test_an_error_gives_back() -> None:
    async def scenario() -> None:
        budget = Budget(1)
        for _ in range(3):
            try:
                async with asyncio.timeout(5), budget.take(1):
                    raise ValueError
            except ValueError:
                pass

    asyncio.run(scenario())


def test_who_waits_too_long_is_told_and_lets_the_next_ones_pass() -> None:
    async def scenario() -> None:
        budget = Budget(10)

        async def patient(size: int, patience: float | None) -> None:
            async with budget.take(size, patience=patience):
                pass

        async with budget.take(5):
            assert not budget.is_wanted()
            with pytest.raises(TimeoutError):
                async with budget.take(10, patience=0.05):
                    raise AssertionError("there is not that much")
            assert not budget.is_wanted()
            too_large = asyncio.create_task(patient(10, 0.05))
            await asyncio.sleep(0)
            assert budget.is_wanted()
            async with asyncio.timeout(5):
                await patient(3, None)
            await asyncio.gather(too_large, return_exceptions=True)

    asyncio.run(scenario())
