"""Networks are stopped between their layers, whoever wrote them. Time is counted in layers."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from engine.devices.interruption import install, interruptible
from engine.errors import Cancelled
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig

UNET = UNetConfig(
    model_channels=32, channel_multipliers=(1, 2), res_blocks=(2, 2), input_depths=(1,) * 4, output_depths=(1,) * 6,
    context_width=32,
)  # fmt: skip


class Flag:
    """Says stop once it has been asked so often."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked > self.patience


@pytest.fixture
def layers() -> Iterator[list[nn.Module]]:
    """Every layer that begins to work."""
    begun: list[nn.Module] = []
    handle = register_module_forward_pre_hook(lambda module, given: begun.append(module))
    yield begun
    handle.remove()


@torch.no_grad()
def forward(unet: UNet) -> Tensor:
    torch.manual_seed(1)
    answer: Tensor = unet(torch.randn(2, 4, 16, 16), torch.tensor([500.0, 500.0]), torch.randn(2, 7, 32))
    return answer


@pytest.fixture(scope="module")
def unet() -> UNet:
    torch.manual_seed(0)
    return UNet(UNET).eval()


def test_a_forward_ends_long_before_its_end_and_the_next_one_is_as_ever(unet: UNet, layers: list[nn.Module]) -> None:
    whole = forward(unet)
    total = len(layers)
    assert total > 200
    layers.clear()
    handle = install(flag := Flag(total // 2), pause=0.0)
    with pytest.raises(Cancelled):
        forward(unet)
    handle.remove()
    assert len(layers) == flag.asked == total // 2 + 1
    assert torch.equal(forward(unet), whole)


def test_the_flag_is_looked_at_no_more_often_than_the_pause(unet: UNet, layers: list[nn.Module]) -> None:
    handle = install(flag := Flag(10**6), pause=3600.0)
    forward(unet)
    handle.remove()
    assert flag.asked == 1
    assert len(layers) > 200


def test_networks_of_other_threads_stop_too(unet: UNet) -> None:
    handle = install(Flag(3), pause=0.0)
    with ThreadPoolExecutor(1) as pool, pytest.raises(Cancelled):
        pool.submit(forward, unet).result()
    handle.remove()


def test_a_block_is_about_its_own_thread_and_ends(unet: UNet) -> None:
    with ThreadPoolExecutor(1) as pool, interruptible(lambda: True):
        assert pool.submit(forward, unet).result().shape == (2, 4, 16, 16)
        with pytest.raises(Cancelled):
            forward(unet)
    forward(unet)


def test_runs_side_by_side_stop_each_by_itself(unet: UNet) -> None:
    entered = threading.Barrier(2, timeout=60)

    def run(is_cancelled: bool) -> str:
        with interruptible(lambda: is_cancelled):
            entered.wait()
            try:
                forward(unet)
            except Cancelled:
                return "cancelled"
            finally:
                entered.wait()
            return "done"

    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(run, (True, False))] == ["cancelled", "done"]


def test_a_network_that_answers_what_it_catches_is_stopped_all_the_same() -> None:
    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            try:
                answer: Tensor = self.layer(x)
            except Exception:
                return x
            return answer

    handle = install(Flag(1), pause=0.0)
    with pytest.raises(Cancelled):
        Stubborn()(torch.zeros(1))
    handle.remove()
