"""ComfyUI's further nodes of pictures and masks: upscalers, pasting, growing, blurs."""

import sys
import types

import numpy
import pytest
import scipy.ndimage
import torch
from torch import nn
from torch.nn.functional import interpolate

from compat.host import Host
from engine.errors import LatentwireError

torch.manual_seed(0)


# ------------------------------------------------------------------------------------------------------------ upscaling


class Descriptor:
    """What spandrel hands out, over a network that repeats pixels; it runs out of memory on large tiles."""

    scale = 2

    def __init__(self, largest: int = 10**9) -> None:
        self.model, self.largest, self.devices = nn.Conv2d(3, 3, 1), largest, []

    def to(self, device):
        self.devices.append(str(device))
        return self

    def __call__(self, x):
        if x.shape[-1] > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return interpolate(x, scale_factor=2, mode="nearest")


@pytest.mark.parametrize("largest", [10**9, 256])
def test_pictures_are_upscaled_in_tiles_that_fit(host: Host, largest):
    from comfy_extras.nodes_upscale_model import ImageUpscaleWithModel

    image = torch.rand(1, 40, 600, 3)
    network = Descriptor(largest)
    made = ImageUpscaleWithModel().upscale(network, image)[0]
    assert torch.allclose(made, image.repeat_interleave(2, 1).repeat_interleave(2, 2), atol=1e-5)
    assert network.devices == ["cpu", "cpu"]
    assert torch.equal(ImageUpscaleWithModel.execute(network, image).result[0], made)


def test_other_errors_of_an_upscaler_are_passed_on(host: Host):
    from comfy_extras.nodes_upscale_model import ImageUpscaleWithModel

    class Broken(Descriptor):
        def __call__(self, x):
            raise RuntimeError("wrong channels")

    with pytest.raises(RuntimeError, match="wrong channels"):
        ImageUpscaleWithModel.execute(Broken(), torch.rand(1, 8, 8, 3))


def test_without_spandrel_a_sentence_says_so(host: Host, monkeypatch):
    from comfy_extras.chainner_models import model_loading

    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(LatentwireError, match="pip install spandrel"):
        model_loading.load_state_dict({})


def test_spandrel_is_given_the_weights_without_the_wrapping(host: Host, monkeypatch, tmp_path):
    from comfy_extras.chainner_models import model_loading
    from comfy_extras.nodes_upscale_model import UpscaleModelLoader

    seen = []

    class ImageModelDescriptor:
        def eval(self):
            return self

    class ModelLoader:
        def load_from_state_dict(self, weights):
            seen.append(weights)
            return ImageModelDescriptor()

    monkeypatch.setitem(sys.modules, "spandrel", types.SimpleNamespace(ModelLoader=ModelLoader))
    key = "layers.0.residual_group.blocks.0.norm1.weight"
    assert isinstance(model_loading.load_state_dict({f"module.{key}": torch.zeros(1)}), ImageModelDescriptor)
    assert [*seen[0]] == [key]
    host.folders.add_folder("upscale_models", tmp_path)
    torch.save({"params": {"conv_first.weight": torch.zeros(2)}}, tmp_path / "a.pth")
    assert isinstance(UpscaleModelLoader().load_model("a.pth")[0], ImageModelDescriptor)
    assert [*seen[1]] == ["conv_first.weight"]


# --------------------------------------------------------------------------------------------------------------- masks


def test_pasting_clips_at_the_borders(host: Host):
    from comfy_extras.nodes_mask import ImageCompositeMasked, LatentCompositeMasked, composite

    canvas, paste = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 3, 3)
    made = composite(canvas.clone(), paste, -8, 16, None, 8)
    assert made[0, 0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    half = composite(canvas.clone(), paste, 0, 0, torch.full((1, 6, 6), 0.25), 8, resize_source=True)
    assert half.unique().tolist() == [0.25]
    assert not composite(canvas.clone(), paste, 800, 0).any()
    to = {"samples": torch.zeros(2, 1, 4, 4), "noise_mask": 1}
    made = LatentCompositeMasked().composite(to, {"samples": paste}, 0, 0, False)[0]
    assert made["samples"][:, 0, :3, :3].unique().tolist() == [1]
    assert not to["samples"].any()
    picture = ImageCompositeMasked().composite(torch.zeros(1, 4, 4, 3), torch.ones(1, 2, 2, 4), 1, 2, False)[0]
    assert picture[0, :, :, 0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]]


@pytest.mark.parametrize("amount", [2, -1, 0])
@pytest.mark.parametrize("tapered", [True, False])
def test_masks_grow_as_in_scipy(host: Host, amount, tapered):
    from comfy_extras.nodes_mask import GrowMask

    mask = (torch.rand(2, 12, 14) > 0.7).float()
    made = GrowMask().expand_mask(mask, amount, tapered)[0]
    shape = numpy.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]] if tapered else [[1] * 3] * 3, bool)
    for one, before in zip(made, mask, strict=True):
        wanted = before.numpy() > 0
        if amount:
            work = scipy.ndimage.binary_dilation if amount > 0 else scipy.ndimage.binary_erosion
            wanted = work(wanted, shape, iterations=abs(amount), border_value=amount < 0)
        assert numpy.array_equal(one.numpy() > 0, wanted)


def test_masks_and_pictures_become_each_other(host: Host):
    from comfy_extras.nodes_mask import CropMask, ImageToMask, InvertMask, MaskToImage, SolidMask, ThresholdMask

    mask = torch.rand(2, 3, 4)
    (image,) = MaskToImage().mask_to_image(mask)
    assert image.shape == (2, 3, 4, 3)
    assert torch.equal(ImageToMask().image_to_mask(image, "green")[0], mask)
    assert SolidMask().solid(0.25, 5, 2)[0].tolist() == [[[0.25] * 5] * 2]
    assert torch.equal(InvertMask().invert(mask)[0], 1 - mask)
    assert torch.equal(ThresholdMask.execute(mask, 0.5)[0], (mask > 0.5).float())
    assert torch.equal(CropMask().crop(mask, 1, 1, 2, 9)[0], mask[:, 1:, 1:3])


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [("multiply", 0.24), ("add", 1.0), ("subtract", 0.2), ("and", 0.0), ("or", 1.0), ("xor", 1.0)],
)
def test_masks_are_combined_where_they_overlap(host: Host, operation, wanted):
    from comfy_extras.nodes_mask import MaskComposite

    to, other = torch.full((1, 3, 3), 0.6), torch.full((1, 2, 2), 0.4)
    made = MaskComposite().combine(to, other, 2, 2, operation)[0]
    assert made[0, 2, 2] == pytest.approx(wanted)
    assert made[0, :2].unique().tolist() == pytest.approx([0.6])


def test_masks_fade_with_comfyuis_quirk(host: Host):
    from comfy_extras.nodes_mask import FeatherMask

    made = FeatherMask().feather(torch.ones(1, 1, 6), 2, 0, 0, 0)[0]
    assert made[0, 0].tolist() == [0.5, 1, 1, 1, 1, 1]
    made = FeatherMask().feather(torch.ones(1, 1, 6), 0, 0, 2, 0)[0]
    assert made[0, 0].tolist() == [0.5, 1, 1, 1, 1, 1]  # index -0 is the first, -1 the last with 2/2


# --------------------------------------------------------------------------------------------------- pictures and blurs


def test_a_blur_is_gaussian_and_keeps_the_mean(host: Host):
    from comfy_extras.nodes_sag import create_blur_map, gaussian_blur_2d

    x = torch.zeros(1, 2, 21, 21)
    x[:, :, 10, 10] = 1
    made = gaussian_blur_2d(x, 9, 1.5)
    assert float(made[0, 1].sum()) == pytest.approx(1, abs=1e-5)
    assert float(made[0, 0, 10, 12] / made[0, 0, 10, 10]) == pytest.approx(numpy.exp(-(2**2) / (2 * 1.5**2)), rel=1e-4)
    latent, attention = torch.rand(1, 4, 16, 16), torch.full((2, 4, 4), 0.1)
    attention[:, :, 0] = 0.7  # the first quarter is looked at by all
    mapped = create_blur_map(latent, attention, 2.0, 1.0)
    assert torch.equal(mapped[..., 8:], latent[..., 8:])
    assert torch.allclose(mapped[..., :8, :8], gaussian_blur_2d(latent, 9, 2.0)[..., :8, :8])


def test_pictures_are_blended_and_softened(host: Host):
    from comfy_extras.nodes_post_processing import Blend, Blur

    a, b = torch.full((1, 4, 4, 3), 0.75), torch.full((1, 4, 4, 3), 0.5)
    made = {mode: float(Blend().blend_images(a, b, 1.0, mode)[0].mean()) for mode in Blend.MODES}
    assert made == pytest.approx(
        {"normal": 0.5, "multiply": 0.375, "screen": 0.875, "overlay": 0.75, "soft_light": 0.75, "difference": 0.25}
    )
    assert float(Blend.execute(a, b, 0.5, "normal")[0].mean()) == 0.625
    with pytest.raises(ValueError, match="expected one of"):
        Blend.execute(a, b, 0.5, "dodge")
    soft = Blur.execute(torch.rand(1, 16, 16, 3), 3, 1.0)[0]
    assert soft.shape == (1, 16, 16, 3)
    assert torch.allclose(Blur.execute(a, 1, 1.0)[0], a)
    line = torch.zeros(1, 9, 9, 1)
    line[:, 4, 4] = 1
    peak = Blur.execute(line, 1, 1.0)[0]
    assert float(peak[0, 4, 5, 0] / peak[0, 4, 4, 0]) == pytest.approx(numpy.exp(-0.5), rel=1e-5)
