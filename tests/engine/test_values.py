import pytest
import torch
from torch import nn

from engine.devices.device import CPU, Place
from engine.devices.residency import Keeper, Part
from engine.errors import Cancelled, CheckpointError, OutOfMemory, SamplingError
from engine.models.vae import AutoencoderKL, VAEConfig
from engine.values import Vae, Watch

FP32 = Place(CPU, torch.float32)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return AutoencoderKL(VAEConfig(channels=32, multipliers=(1, 1, 2), res_blocks=1)).eval()


def vae_of(network, module=None):
    with torch.device("meta"):
        empty = module or AutoencoderKL(network.config)
    return Vae(Part("vae", empty, network.state_dict(), FP32), Keeper())


class Nearly(nn.Module):
    """An autoencoder without weights whose answer at a cell depends on that cell alone, with a memory of its own."""

    downscale = 8

    def __init__(self, room=10**9):
        super().__init__()
        self.room = room
        self.sizes = []

    def encode(self, x):
        self._need(x.numel() // 64)
        return torch.nn.functional.avg_pool2d(x, 8)

    def decode(self, x):
        self._need(x.numel())
        return torch.nn.functional.interpolate(x, scale_factor=8.0, mode="nearest")

    def _need(self, size):
        self.sizes.append(size)
        if size > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")


def nearly(room=10**9):
    return Vae(Part("nearly", Nearly(room), {}, FP32), Keeper())


def test_pixels_become_latents_and_back_as_the_network_makes_them(network):
    vae, pixels = vae_of(network), torch.rand(2, 16, 24, 3)
    with torch.no_grad():
        latent = network.encode(pixels.movedim(-1, 1) * 2 - 1)
        picture = ((network.decode(latent) + 1) / 2).clamp(0, 1).movedim(1, -1)
    torch.testing.assert_close(vae.encode(pixels), latent)
    torch.testing.assert_close(vae.decode(latent), picture)
    assert vae.decode(latent).dtype == torch.float32
    assert not vae.decode(latent).requires_grad


def test_what_fills_no_whole_cell_is_cut_off_evenly(network):
    vae = vae_of(network)
    pixels = torch.rand(1, 19, 22, 4)  # three rows and two columns too many: one and one go at the start
    torch.testing.assert_close(vae.encode(pixels), vae.encode(pixels[:, 1:17, 1:21, :3]))


def test_a_video_becomes_its_frames(network):
    vae, video = vae_of(network), torch.randn(2, 4, 3, 4, 4)
    frames = vae.decode(video)
    assert frames.shape == (6, 16, 16, 3)
    torch.testing.assert_close(frames[4:5], vae.decode(video[1:, :, 1]))


def test_tiles_make_the_picture_that_the_whole_makes_where_cells_do_not_look_around():
    latent, pixels = torch.rand(2, 4, 40, 70) * 2 - 1, torch.rand(2, 200, 328, 3)
    torch.testing.assert_close(nearly().decode_tiled(latent, 32, 8), nearly().decode(latent), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(nearly().encode_tiled(pixels, 128, 32), nearly().encode(pixels), rtol=1e-5, atol=1e-5)


def test_tiles_of_three_proportions_are_averaged_before_clamping(network):
    """Written out: ComfyUI's three passes with (height, width) = (2t, t/2), (t/2, 2t), (t, t)."""
    from engine.devices.tiles import Tiling, tiled

    latent = torch.randn(1, 4, 24, 24) * 3
    with torch.no_grad():
        passes = [
            tiled(latent, network.decode, Tiling(height, width, 4), network.downscale)
            for height, width in ((32, 8), (8, 32), (16, 16))
        ]
    expected = ((sum(passes) / 3 + 1) / 2).clamp(0, 1).movedim(1, -1)
    torch.testing.assert_close(vae_of(network).decode_tiled(latent, 16, 4), expected)


def test_out_of_memory_falls_back_to_tiles():
    latent = torch.rand(1, 4, 100, 100) * 2 - 1
    poor = nearly(room=4 * 128 * 32)
    torch.testing.assert_close(poor.decode(latent), nearly().decode(latent), rtol=1e-5, atol=1e-5)
    assert max(poor.part.module.sizes[1:]) <= 4 * 128 * 32
    pixels = torch.rand(1, 800, 800, 3)
    torch.testing.assert_close(poor.encode(pixels), nearly().encode(pixels), rtol=1e-5, atol=1e-5)


def test_tiles_become_smaller_until_they_fit():
    latent = torch.rand(1, 4, 100, 100)
    poorer = nearly(room=4 * 16 * 16)
    torch.testing.assert_close(poorer.decode(latent), nearly().decode(latent), rtol=1e-5, atol=1e-5)


def test_no_room_even_for_small_tiles_is_said_in_words():
    with pytest.raises(OutOfMemory, match="no room even for tiles of 128 pixels"):
        nearly(room=1).decode(torch.rand(1, 4, 32, 32))


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    with pytest.raises(RuntimeError, match="channels"):
        vae_of(AutoencoderKL(VAEConfig(channels=32, multipliers=(1,), res_blocks=1))).decode(torch.rand(1, 7, 4, 4))


def test_a_batch_is_split_when_memory_is_short(network, monkeypatch):
    latent = torch.randn(3, 4, 4, 4)
    expected = vae_of(network).decode(latent)
    monkeypatch.setattr("engine.devices.memory.free", lambda device: 1)
    seen = []
    torch.testing.assert_close(vae_of(network).decode(latent, Watch(progress=lambda *at: seen.append(at))), expected)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_tiles_report_how_far_they_are():
    seen = []
    nearly().decode_tiled(torch.rand(1, 4, 32, 32), 32, 8, Watch(progress=lambda *at: seen.append(at)))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}


def test_decoding_stops_within_a_layer(network):
    asked = []

    def check():
        asked.append(None)
        if len(asked) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        vae_of(network).decode(torch.randn(1, 4, 4, 4), Watch(check))
    assert len(asked) == 3


def test_a_network_that_was_stopped_works_again_and_is_not_watched_any_more(network):
    vae = vae_of(network)

    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        vae.decode(torch.randn(1, 4, 4, 4), Watch(stop))
    assert vae.decode(torch.randn(1, 4, 4, 4)).shape == (1, 16, 16, 3)


# no numbers


WAYS = {
    "decode": lambda vae, cell: vae.decode(torch.full((1, 4, 4, 4), cell)),
    "decode_tiled": lambda vae, cell: vae.decode_tiled(torch.full((1, 4, 4, 4), cell), 2, 1),
    "encode": lambda vae, cell: vae.encode(torch.full((1, 16, 16, 3), cell)),
    "encode_tiled": lambda vae, cell: vae.encode_tiled(torch.full((1, 16, 16, 3), cell), 8, 4),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_autoencoder_is_named_with_the_weight(network, way):
    key = f"{way[:6]}r.conv_in.weight"
    damaged = {**network.state_dict(), key: torch.full_like(network.state_dict()[key], torch.nan)}
    with torch.device("meta"):
        vae = Vae(Part("the autoencoder of x.safetensors", AutoencoderKL(network.config), damaged, FP32), Keeper())
    with pytest.raises(CheckpointError) as failure:
        WAYS[way](vae, 0.5)
    assert f"the autoencoder of x.safetensors: {key} holds values that are no numbers" in str(failure.value)


@pytest.mark.parametrize("way", WAYS)
def test_what_an_autoencoder_is_given_is_blamed_before_its_weights(network, way):
    what = "latents" if way.startswith("decode") else "pictures"
    with pytest.raises(SamplingError, match=f"the {what} for vae hold values that are no numbers"):
        WAYS[way](vae_of(network), torch.nan)


@pytest.mark.parametrize("way", WAYS)
def test_an_autoencoder_that_overflows_in_half_precision_names_the_flag(network, way):
    """As SDXL's does: all weights are sound, but what flows between layers is beyond 65504."""
    state = network.state_dict()
    loud = {name: tensor * 30000 if name.endswith("conv_in.weight") else tensor for name, tensor in state.items()}
    half = {name: tensor.half() for name, tensor in loud.items()}
    with torch.device("meta"):
        vae = Vae(Part("vae", AutoencoderKL(network.config), half, Place(CPU, torch.float16)), Keeper())
    with pytest.raises(SamplingError, match=r"vae answered with .*float16 overflowed.* --fp32-vae"):
        WAYS[way](vae, 9.0)
