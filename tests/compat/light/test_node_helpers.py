"""node_helpers: copies that leave their input alone, and files that are a little damaged."""

import hashlib

import pytest
import torch
from PIL import Image, ImageFile

from compat.host import Host


@pytest.fixture
def helpers(host: Host):
    import node_helpers

    return node_helpers


def test_options_are_set_in_copies(helpers):
    before = [[torch.zeros(1, 2, 3), {"strength": 1.0}], [torch.ones(1, 2, 3), {}]]
    after = helpers.conditioning_set_values(before, {"strength": 0.5, "mask": None})
    assert [entry[1] for entry in after] == [{"strength": 0.5, "mask": None}] * 2
    assert before[0][1] == {"strength": 1.0}
    assert after[0][0] is before[0][0]


def test_appended_values_come_after_those_there(helpers):
    first, second = torch.tensor([1.0]), torch.tensor([10.0])
    before = [[torch.zeros(1), {"latents": [first], "sum": first}], [torch.zeros(1), {}]]
    after = helpers.conditioning_set_values(before, {"latents": [second], "sum": second}, append=True)
    assert after[0][1]["latents"] == [first, second]
    assert after[0][1]["sum"].tolist() == [11]
    assert after[1][1]["latents"] == [second]
    assert before[0][1]["latents"] == [first]


def test_a_picture_cut_off_is_read_as_far_as_it_goes(helpers, tmp_path):
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 90).save(path)
    path.write_bytes(path.read_bytes()[:-1000])

    def load(which):
        with Image.open(which) as picture:
            picture.load()
            return picture

    with pytest.raises(OSError, match="truncated"):
        load(path)

    assert helpers.pillow(load, path).size == (64, 64)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_pictures_get_equally_many_channels(helpers):
    rgb, rgba = torch.rand(1, 2, 2, 3), torch.rand(1, 2, 2, 4)
    assert [each.shape[-1] for each in helpers.image_alpha_fix(rgb, rgba)] == [3, 3]
    grown, same = helpers.image_alpha_fix(rgba[..., :3], rgb[..., :2])
    assert (grown.shape[-1], same.shape[-1]) == (4, 2)
    assert grown[..., 3].unique().tolist() == [1]


def test_the_hash_is_the_one_chosen(helpers):
    assert helpers.hasher()(b"x").hexdigest() == hashlib.sha256(b"x").hexdigest()
    helpers.args.default_hashing_function = "md5"
    assert helpers.hasher()(b"x").hexdigest() == hashlib.md5(b"x").hexdigest()
    helpers.args.default_hashing_function = "crc"
    with pytest.raises(ValueError, match="expected one of"):
        helpers.hasher()


def test_formats_have_short_names(helpers):
    assert helpers.string_to_torch_dtype("bf16") == torch.bfloat16
    assert helpers.string_to_torch_dtype("int8") is None
