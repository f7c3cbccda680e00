"""Everything a condition may hold is named when it holds no numbers."""

import pytest
import torch

from engine.conditioning import BoxedPhrase, Condition, ControlHint, Grounding, SeenPicture
from engine.errors import SamplingError
from engine.sampling.inputs import check_numbers

BAD = torch.tensor([[[0.0, torch.nan]]])
GOOD = torch.zeros(1, 1, 2)


class Net:
    name = "the ControlNet of edges.safetensors"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tokens": BAD}, "text's encoding"),
        ({"pooled": BAD}, "text's summary"),
        ({"mask": BAD}, "mask of a condition"),
        ({"vector": BAD}, "vector beside the text"),
        ({"concat_latent": BAD}, "picture to inpaint or edit"),
        ({"concat_mask": torch.tensor([[-torch.inf]])}, "mask to inpaint"),
        ({"concat_image": BAD}, "picture to draw larger"),
        ({"control_tokens": BAD}, "text's encoding for ControlNets"),
        ({"control": (ControlHint(Net(), BAD),)}, r"hint of the ControlNet of edges\.safetensors"),
        ({"control": (ControlHint(lambda: None, GOOD, mask=BAD),)}, "mask of function"),
        ({"pictures": (SeenPicture(GOOD), SeenPicture(BAD))}, "picture that CLIP vision saw"),
        ({"grounding": Grounding(None, (BoxedPhrase(BAD, 1, 1, 0, 0),))}, "phrase in a box"),
    ],
)
def test_what_holds_no_numbers_is_named_with_its_side(options, said):
    sound, damaged = Condition(GOOD), Condition(**{"tokens": GOOD, **options})
    with pytest.raises(SamplingError, match=f"negative: the {said}.* holds values that are no numbers"):
        check_numbers([("noise mask", None)], {"positive": [sound], "negative": [sound, damaged]})
    check_numbers([("noise mask", GOOD)], {"positive": [sound], "negative": [sound]})


def test_a_damaged_noise_mask_is_named():
    with pytest.raises(SamplingError, match="the noise mask holds values that are no numbers"):
        check_numbers([("noise mask", BAD)], {})
