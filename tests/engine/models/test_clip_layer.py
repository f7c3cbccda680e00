"""A layer of CLIP's transformer against transformers' and torch's own."""

import torch
from torch import nn
from transformers import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from engine.models.clip_layer import ClipLayer, JoinedAttention
from tests.engine.models.nets import apart, randomised

WIDTH, HEADS = 32, 4
X = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(0))


def test_a_layer_is_that_of_transformers() -> None:
    ours = randomised(ClipLayer(WIDTH, HEADS))
    config = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_attention_heads=HEADS, hidden_act="quick_gelu"
    )
    theirs = CLIPEncoderLayer(config).eval()
    given = ours.state_dict()
    weights = {
        name.replace("ln_", "layer_norm").replace("mlp.c_fc", "mlp.fc1").replace("mlp.c_proj", "mlp.fc2"): each
        for name, each in given.items()
        if not name.startswith("attn")
    }
    weights |= {f"self_attn.out_proj.{kind}": given[f"attn.out_proj.{kind}"] for kind in ("weight", "bias")}
    for kind in ("weight", "bias"):
        for name, part in zip("qkv", given[f"attn.in_proj_{kind}"].chunk(3), strict=True):
            weights[f"self_attn.{name}_proj.{kind}"] = part
    theirs.load_state_dict(weights)
    with torch.no_grad():
        assert apart(ours(X), theirs(X, None)) < 1e-5


def test_its_attention_holds_torchs_weights_under_torchs_names() -> None:
    theirs = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    theirs.load_state_dict(randomised(JoinedAttention(WIDTH, HEADS)).state_dict())
    ours = JoinedAttention(WIDTH, HEADS)
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        assert apart(ours(X), theirs(X, X, X, need_weights=False)[0]) < 1e-5
