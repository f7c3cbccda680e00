"""latent_preview: pictures in the making, and every place where plugins put their own."""

import io

import pytest
import torch
from PIL import Image

from compat.host import Host
from engine.graph.run import Run

torch.manual_seed(0)


@pytest.fixture
def previews(host: Host):
    import latent_preview

    return latent_preview


@pytest.fixture
def parts(host: Host):
    import nodes

    return nodes.CheckpointLoaderSimple().load_checkpoint("tiny.safetensors")


FACTORS = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_channels_are_mixed_into_colours(previews):
    x = torch.tensor([-1.0, 0.0, 1.0, 9.0]).reshape(1, 4, 1, 1).expand(2, 4, 3, 5)
    image = previews.Latent2RGBPreviewer(FACTORS).decode_latent_to_preview(x)
    assert image.size == (5, 3)
    assert image.getpixel((0, 0)) == (0, 127, 255)
    biased = previews.Latent2RGBPreviewer(FACTORS, [1.0, 0.0, -2.0]).decode_latent_to_preview(x)
    assert biased.getpixel((0, 0)) == (127, 127, 0)
    video = torch.stack([x, x * 0], dim=2)
    assert previews.Latent2RGBPreviewer(FACTORS).decode_latent_to_preview(video).getpixel((0, 0)) == (0, 127, 255)


def test_a_small_autoencoders_picture_is_shown(previews):
    class Small:
        def decode(self, x):
            return torch.ones(1, 3, 16, 24)

    shown = previews.TAESDPreviewerImpl(Small()).decode_latent_to_preview_image("JPEG", torch.zeros(1, 4, 2, 3))
    assert (shown[0], shown[1].size, shown[2]) == ("JPEG", (24, 16), 512)
    assert shown[1].getpixel((0, 0)) == (255, 255, 255)


def test_a_previewer_must_say_how(previews):
    class Mine(previews.LatentPreviewer):
        pass

    with pytest.raises(NotImplementedError, match="Mine"):
        Mine().decode_latent_to_preview(torch.zeros(1))
    assert Mine in previews.LatentPreviewer.__subclasses__()


def test_the_options_choose_the_previewer_while_we_run(previews, parts, host: Host):
    from comfy.cli_args import LatentPreviewMethod, args

    latent_format = parts[0].model.latent_format
    assert previews.get_previewer("cpu", latent_format) is None
    args.preview_method = previews.LatentPreviewMethod.Auto
    assert isinstance(previews.get_previewer("cpu", latent_format), previews.Latent2RGBPreviewer)
    args.preview_method = LatentPreviewMethod.TAESD  # there is no file of one
    assert isinstance(previews.get_previewer("cpu", latent_format), previews.Latent2RGBPreviewer)
    with host.node(Run("1", lambda event: None, preview_method="none")):
        assert previews.get_previewer("cpu", latent_format) is None


def test_a_callback_tells_the_node_and_keeps_the_latest(previews, parts, host: Host):
    from comfy.cli_args import args

    args.preview_method = previews.LatentPreviewMethod.Latent2RGB
    args.preview_size = 4
    told, kept = [], {}
    x0 = torch.rand(1, 4, 8, 8)
    with host.node(Run("5", told.append)):
        previews.prepare_callback(parts[0], 3, kept)(0, x0, x0, 3)
    assert kept["x0"] is x0
    preview, progress = told
    assert (progress.value, progress.maximum) == (1, 3)
    assert Image.open(io.BytesIO(preview.data)).size == (4, 4)


def test_a_replaced_previewer_is_looked_up_at_call_time(previews, parts, host: Host, monkeypatch):
    class Mine(previews.LatentPreviewer):
        def decode_latent_to_preview_image(self, preview_format, x0):
            return ("PNG", Image.new("RGB", (2, 2)), 512)

    monkeypatch.setattr(previews, "get_previewer", lambda device, latent_format: Mine())
    told = []
    with host.node(Run("5", told.append)):
        previews.prepare_callback(parts[0], 1)(0, torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 2, 2), 1)
    assert told[0].data.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("setting", "wish", "is_asked"),
    [("auto", None, False), ("auto", "latent2rgb", True), ("none", "latent2rgb", True), ("none", None, True)],
)
def test_a_step_is_asked_for_by_the_prompt_or_a_plugin_but_not_by_the_setting(
    previews, parts, host: Host, monkeypatch, setting, wish, is_asked
):
    from comfy.cli_args import args

    args.preview_method = previews.LatentPreviewMethod(setting)
    if (setting, wish) == ("none", None):  # only a plugin's previewer shows anything then
        mine = previews.Latent2RGBPreviewer(FACTORS)
        monkeypatch.setattr(previews, "get_previewer", lambda device, latent_format: mine)
    told = []
    x0 = torch.rand(1, 4, 8, 8)
    with host.node(Run("5", told.append, preview_method=wish)):
        previews.prepare_callback(parts[0], 3)(0, x0, x0, 3)
    assert told[0].is_asked is is_asked


def test_plain_drawing_follows_the_options_too(previews, host: Host):
    from comfy.cli_args import args

    from compat.machine.options import live

    args.preview_method = previews.LatentPreviewMethod.Latent2RGB
    args.preview_size = 64
    changed = live(host.settings)
    assert (changed.preview_method, changed.preview_size) == ("latent2rgb", 64)
    assert changed.cpu == host.settings.cpu
