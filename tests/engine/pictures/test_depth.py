"""Depth estimated: how pictures are made ready, and what comes back."""

import logging
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from engine.checkpoints import geometry
from engine.checkpoints.tensors import in_memory
from engine.devices.device import Devices
from engine.devices.residency import Keeper
from engine.errors import Cancelled, CheckpointError, ImageError, OutOfMemory, SamplingError
from engine.pictures import depth, depth_maps
from engine.pictures.colormap import turbo
from engine.pictures.depth import DepthModel, Geometry, Together
from engine.values import Watch
from tests import depth_files
from tests.depth_files import TINY, TINY_MONO, Layout


def loaded(layout: Layout, keeper: Keeper | None = None) -> DepthModel:
    file = in_memory("depth.safetensors", depth_files.tensors(layout))
    return geometry.depth_model(file, Devices(), keeper or Keeper())


def picture(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2))


def estimated(model: DepthModel, image: Tensor, together: Together | None = None) -> Geometry:
    return depth.estimate(model, image, 140, "upper_bound_resize", together)


# ------------------------------------------------------------------------------------------------- pictures made ready


@pytest.mark.parametrize(
    ("size", "resolution", "method", "wanted"),
    [
        ((480, 640), 504, "upper_bound_resize", (378, 504)),
        ((480, 640), 504, "lower_bound_resize", (504, 672)),
        ((1080, 1920), 504, "upper_bound_resize", (280, 504)),  # 283.5 → 284 → 280, the nearer multiple of 14
        ((100, 143), 140, "upper_bound_resize", (98, 140)),
        ((4000, 3), 140, "upper_bound_resize", (140, 14)),  # a cell at least
        ((50, 50), 500, "upper_bound_resize", (504, 504)),
    ],
)
def test_the_size_the_model_works_at(
    size: tuple[int, int], resolution: int, method: depth.Method, wanted: tuple[int, int]
) -> None:
    assert depth.working_size(size, resolution, method, 14) == wanted
    if size[0] < 1000:
        assert depth.ready(torch.zeros(1, *size, 3), resolution, method, 14).shape == (1, 3, *wanted)


def test_smaller_pictures_are_means_of_what_each_pixel_covers() -> None:
    assert torch.allclose(depth.covering(5, 2), torch.tensor([[2, 2, 1, 0, 0], [0, 0, 1, 2, 2]]) / 5, atol=1e-6)
    image = picture(1, 280, 280, 3)
    found = depth.ready(image, 140, "upper_bound_resize", 14)
    means = image.unflatten(1, (140, 2)).unflatten(3, (140, 2)).mean(dim=(2, 4)).movedim(-1, 1)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    assert torch.allclose(found, (means - mean) / deviation, atol=1e-4)


# -------------------------------------------------------------------------------------------------------- what it says


def test_pictures_are_estimated_each_by_itself_at_their_own_size() -> None:
    model, image, told = loaded(TINY), picture(2, 50, 70, 3), []
    watch = Watch(progress=lambda done, total: told.append((done, total)))
    found = depth.estimate(model, image, 140, "upper_bound_resize", watch=watch)
    assert found.keys() == {"depth", "image", "mode", "confidence"}
    assert (found["mode"], told) == ("mono", [(1, 2), (2, 2)])
    assert found["depth"].shape == found["confidence"].shape == (2, 50, 70)
    assert torch.equal(found["image"], image)
    alone = estimated(model, image[1:])
    assert torch.allclose(alone["depth"][0], found["depth"][1], atol=1e-5)
    assert found["depth"].std() > 1e-3
    sky = estimated(loaded(TINY_MONO), image)
    assert sky.keys() == {"depth", "image", "mode", "sky"}


@pytest.mark.parametrize("pose", ["cam_dec", "ray_pose"])
def test_views_of_a_scene_get_cameras_in_pixels_of_their_own_size(pose: depth.Pose) -> None:
    model, image = loaded(TINY), picture(3, 50, 70, 3)
    found = estimated(model, image, Together("middle", pose))
    assert found.keys() == {"depth", "image", "mode", "confidence", "extrinsics", "intrinsics"}
    assert found["mode"] == "multiview"
    assert (found["extrinsics"].shape, found["intrinsics"].shape) == ((3, 3, 4), (3, 3, 3))
    turned = found["extrinsics"][:, :, :3]
    assert torch.allclose(turned @ turned.mT, torch.eye(3).expand(3, 3, 3), atol=1e-4)
    if pose == "cam_dec":
        assert torch.equal(found["intrinsics"][:, :2, 2], torch.tensor([[35.0, 25.0]]).expand(3, 2))
    changed = image.clone()
    changed[2] = 1 - changed[2]
    assert not torch.allclose(estimated(model, changed, Together("middle", pose))["depth"][0], found["depth"][0])


def test_one_picture_may_be_the_only_view_with_a_word_about_it(caplog: pytest.LogCaptureFixture) -> None:
    model, image = loaded(TINY), picture(1, 30, 30, 3)
    alone = estimated(model, image)
    assert not caplog.records
    assert torch.allclose(estimated(model, image, Together())["depth"], alone["depth"], atol=1e-5)
    assert "one picture has no other view to agree with" in caplog.text


def test_a_mono_model_has_no_views_and_a_model_without_a_decoder_other_cameras() -> None:
    with pytest.raises(CheckpointError, match=r"depth\.safetensors: a mono model, .* set mode to mono"):
        estimated(loaded(TINY_MONO), picture(2, 30, 30, 3), Together())
    tensors = {name: each for name, each in depth_files.tensors(TINY).items() if "cam_dec" not in name}
    model = geometry.depth_model(in_memory("depth.safetensors", tensors), Devices(), Keeper())
    with pytest.raises(CheckpointError, match=r"no camera decoder .*set pose_method to ray_pose"):
        estimated(model, picture(2, 30, 30, 3), Together())
    assert "extrinsics" in estimated(model, picture(2, 30, 30, 3), Together(pose="ray_pose"))


def test_answers_that_are_no_numbers_are_an_error() -> None:
    tensors = depth_files.tensors(TINY_MONO)
    tensors["model.head.scratch.output_conv2.2.bias"] += 200  # e²⁰⁰ is no float32
    model = geometry.depth_model(in_memory("depth.safetensors", tensors), Devices(), Keeper())
    with pytest.raises(SamplingError, match=r"its depth holds .* weight_dtype fp32"):
        estimated(model, picture(1, 30, 30, 3))


def test_a_model_larger_than_its_budget_answers_the_same() -> None:
    image = picture(2, 30, 44, 3)
    whole, part = loaded(TINY), loaded(TINY, Keeper(budget=40_000))
    for together in (None, Together()):
        one, other = estimated(whole, image, together), estimated(part, image, together)
        assert all(torch.equal(one[key], other[key]) for key in one if key != "mode")
    assert whole.trunk.whole_size > 40_000 >= part.trunk.loaded + part.answers.loaded


def test_work_that_runs_full_is_done_again_with_fewer_weights_waiting() -> None:
    tensors = {name: each.half() for name, each in depth_files.tensors(TINY).items()}
    model = geometry.depth_model(in_memory("depth.safetensors", tensors), Devices(), Keeper())
    image, held = picture(2, 30, 44, 3), []
    wanted = estimated(model, image)["depth"]

    def full(*_: object) -> None:
        held.append(model.trunk.loaded + model.answers.loaded)
        if len(held) <= 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = model.trunk.module.norm.register_forward_pre_hook(full)
    assert torch.equal(estimated(model, image)["depth"], wanted)
    hook.remove()
    assert held[0] > held[1] > held[2] == 0


def test_work_stops_when_asked_and_says_so_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    model, image = loaded(TINY), picture(2, 30, 44, 3)
    with pytest.raises(Cancelled):
        depth.estimate(model, image, 140, "upper_bound_resize", watch=Watch(progress=stop))

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    hook = model.trunk.module.norm.register_forward_pre_hook(full)
    with pytest.raises(OutOfMemory, match=r"no room for 2 pictures of 140×98 pixels .* lower resolution"):
        estimated(model, image, Together())
    hook.remove()


# ------------------------------------------------------------------------------------------------------- as a picture


def known(**maps: Tensor) -> Geometry:
    return {"mode": "mono", "image": torch.zeros(1, 2, 2, 3), **maps}


def test_min_max_goes_from_the_farthest_to_the_nearest() -> None:
    far = torch.tensor([[[1.0, 2], [3, 5]], [[10, 10], [20, 30]]])
    found = depth_maps.depth(known(depth=far), "min_max", clips_sky=False, is_colored=False)
    assert found.shape == (2, 2, 2, 3)
    assert torch.allclose(found[..., 1], torch.tensor([[[1, 0.75], [0.5, 0]], [[1, 1], [0.5, 0]]]))
    shared = depth_maps.depth({**known(depth=far), "mode": "multiview"}, "min_max", clips_sky=False, is_colored=False)
    assert torch.allclose(shared[..., 0], 1 - (far - 1) / 29)


def test_v2_style_is_the_inverse_by_its_own_deviation_around_middle_grey() -> None:
    far = 1 / torch.tensor([[[1.0, 2], [3, 6]]])
    found = depth_maps.depth(known(depth=far), "v2_style", clips_sky=False, is_colored=False)[0, ..., 0]
    deviation = (((1 - 3) ** 2 + (2 - 3) ** 2 + 0 + (6 - 3) ** 2) / 4) ** 0.5
    wanted = 0.5 + (torch.tensor([[1.0, 2], [3, 6]]) - 3) / (4 * deviation)
    assert torch.allclose(found, wanted, atol=1e-5)
    flat = depth_maps.depth(known(depth=torch.full((1, 2, 2), 0.3)), "v2_style", clips_sky=False, is_colored=False)
    assert torch.equal(flat, torch.full((1, 2, 2, 3), 0.5))


def test_raw_keeps_the_numbers_and_warns_when_colours_cannot(caplog: pytest.LogCaptureFixture) -> None:
    far = torch.tensor([[[0.5, 2], [3, 7]]])
    assert torch.equal(depth_maps.depth(known(depth=far), "raw", clips_sky=False, is_colored=False)[..., 2], far)
    with caplog.at_level(logging.WARNING):
        colored = depth_maps.depth(known(depth=far), "raw", clips_sky=False, is_colored=True)
    assert "raw depth goes up to 7.0" in caplog.text
    assert torch.equal(colored[0, 0, 1], colored[0, 1, 1])


def test_the_sky_is_put_as_far_as_99_of_100_places_of_the_rest_are_near() -> None:
    far = torch.arange(1, 202, dtype=torch.float32).view(1, 3, 67)
    sky = torch.zeros_like(far)
    sky[0, 2, -34:] = 1.0
    wild = torch.where(sky > 0, 1e4, far)
    found = depth_maps.clipped(known(depth=wild, sky=sky))
    assert torch.equal(found[sky == 0], far[sky == 0])
    assert found[sky > 0].unique().tolist() == [165.0]  # of 1 … 167: 1 + 0.99 · 166 = 165.34, the nearest there is
    assert torch.equal(wild, torch.where(sky > 0, 1e4, far))
    few = torch.zeros_like(far)
    few[0, 0, :5] = 1
    assert torch.equal(depth_maps.clipped(known(depth=wild, sky=few)), wild)


def test_maps_that_the_model_does_not_have_are_named() -> None:
    small, mono = known(depth=torch.ones(1, 2, 2), confidence=torch.ones(1, 2, 2)), known(depth=torch.ones(1, 2, 2))
    with pytest.raises(ImageError, match="there is no sky, only depth, confidence; the models Mono-Large and Metric"):
        depth_maps.sky_mask(small, is_colored=False)
    with pytest.raises(ImageError, match="there is no sky"):
        depth_maps.depth(small, "raw", clips_sky=True, is_colored=False)
    with pytest.raises(ImageError, match="there is no confidence, only depth; the models Small and Base"):
        depth_maps.confidence(mono, is_colored=False)


def test_sky_and_confidence_are_shown() -> None:
    sky = torch.tensor([[[0.0, 0.25], [1, 1.5]]])
    shown = depth_maps.sky_mask(known(depth=sky, sky=sky), is_colored=False)
    assert torch.equal(shown[..., 0], sky.clamp(max=1))
    sure = depth_maps.confidence(known(depth=sky, confidence=1 + sky), is_colored=False)
    assert torch.allclose(sure[..., 0], sky / 1.5)
    assert torch.equal(depth_maps.sky_mask(known(depth=sky, sky=sky), is_colored=True), turbo(sky))


def test_turbo_is_googles_table() -> None:
    """Against rows of the table in real numbers, as matplotlib has it."""
    table: Mapping[int, tuple[float, float, float]] = {
        0: (0.18995, 0.07176, 0.23217),
        32: (0.27628, 0.42118, 0.89123),
        64: (0.15844, 0.73551, 0.92305),
        128: (0.64362, 0.98999, 0.23356),
        192: (0.98360, 0.49291, 0.12849),
        224: (0.81608, 0.18462, 0.01809),
        255: (0.47960, 0.01583, 0.01055),
    }
    for row, colour in table.items():
        assert torch.allclose(turbo(torch.tensor(row / 255)), torch.tensor(colour), atol=0.6 / 255), row
    one, between, other = turbo(torch.tensor([100.0, 100.5, 101.0]) / 255)
    assert torch.allclose(between, (one + other) / 2, atol=1e-4)
    assert torch.equal(turbo(torch.tensor([-1.0, 2.0])), turbo(torch.tensor([0.0, 1.0])))
