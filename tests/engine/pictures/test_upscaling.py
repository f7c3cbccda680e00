"""Pictures made larger in tiles."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from engine.errors import Cancelled, ImageError, OutOfMemory
from engine.models.rrdb import RRDBConfig, RRDBNet
from engine.pictures.upscaling import Upscaler, upscaled
from engine.values import Watch

CPU = torch.device("cpu")


class Repeater:
    """Repeats pixels, and has no room for large tiles."""

    scale = 2

    def __init__(self, largest: int = 10**9) -> None:
        self.model, self.largest, self.places, self.widths = nn.Conv2d(3, 3, 1), largest, [], []

    def to(self, device):
        self.places.append(str(device))
        return self

    def __call__(self, x: Tensor) -> Tensor:
        self.widths.append(x.shape[-1])
        if max(x.shape[-2:]) > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return interpolate(x, scale_factor=2, mode="nearest")


def test_tiles_are_halved_until_they_fit() -> None:
    image, network, told = torch.rand(2, 40, 600, 3), Repeater(largest=200), []
    made = upscaled(network, image, CPU, watch=Watch(progress=lambda done, total: told.append((done, total))))
    assert torch.allclose(made, image.repeat_interleave(2, 1).repeat_interleave(2, 2), atol=1e-5)
    assert max(network.widths) == 512
    assert network.widths[:2] == [512, 256]
    assert told[-1][0] == told[-1][1]
    assert network.places == ["cpu", "cpu"]


def test_a_small_picture_is_one_tile_and_the_result_is_clamped() -> None:
    network = Repeater()
    made = upscaled(network, torch.full((1, 512, 512, 3), 1.5), CPU)
    assert network.widths == [512]
    assert made.unique().tolist() == [1.0]


def test_no_room_even_for_small_tiles_is_said_and_the_network_goes_back() -> None:
    network = Repeater(largest=8)
    with pytest.raises(OutOfMemory, match="even in tiles of 128 pixels"):
        upscaled(network, torch.rand(1, 300, 300, 3), CPU)
    assert network.places[-1] == "cpu"


def test_other_errors_are_passed_on_and_it_can_be_stopped() -> None:
    class Broken(Repeater):
        def __call__(self, x):
            raise RuntimeError("wrong channels")

    with pytest.raises(RuntimeError, match="wrong channels"):
        upscaled(Broken(), torch.rand(1, 8, 8, 3), CPU)

    def stop() -> None:
        raise Cancelled

    network = Repeater()
    with pytest.raises(Cancelled):
        upscaled(network, torch.rand(1, 8, 8, 3), CPU, watch=Watch(check=stop))
    assert network.widths == []


@pytest.mark.parametrize("channels", [1, 4])
def test_networks_for_grey_and_transparent_pictures_take_coloured_ones(channels: int) -> None:
    torch.manual_seed(0)
    config = RRDBConfig(channels=channels, out_channels=channels, features=4, blocks=1, growth=2, ups=1)
    network = Upscaler(RRDBNet(config).eval())
    image = torch.rand(1, 6, 7, 3)
    made = upscaled(network, image, CPU)
    assert made.shape == (1, 12, 14, 3)
    x = image.movedim(-1, 1)
    wanted = (
        network(x.movedim(1, 0)).movedim(0, 1)
        if channels == 1
        else network(torch.cat([x, torch.ones(1, 1, 6, 7)], 1))[:, :3]
    )
    assert torch.allclose(made, wanted.movedim(1, -1), atol=1e-6)


def test_a_network_for_other_pictures_is_named() -> None:
    config = RRDBConfig(channels=7, out_channels=3, features=4, blocks=1, growth=2, ups=1)
    with pytest.raises(ImageError, match="pictures of 7 channels, these have 3"):
        upscaled(Upscaler(RRDBNet(config)), torch.rand(1, 6, 7, 3), CPU)


def test_more_pixels_than_fit_into_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.devices.memory.free", lambda device: 10_000)
    with pytest.raises(OutOfMemory, match="ask for smaller"):
        upscaled(Repeater(), torch.rand(1, 60, 60, 3), CPU)
