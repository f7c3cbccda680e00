"""Style models and PhotoMaker against the same sums by torch's and transformers' own layers."""

import math
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, linear

from engine.adapters import picture_texts
from engine.adapters.picture_texts import Faces
from engine.checkpoints import image_prompts
from engine.checkpoints.load import Loader
from engine.devices.device import CPU, Place
from engine.devices.residency import Keeper
from engine.errors import CheckpointError, SamplingError
from engine.models.vision import preprocessed
from engine.text.tokenizer import Tokenizer
from nodes.style import style_model_apply, style_model_loader
from tests import families
from tests.style_files import CONTEXT, WIDTH, rand, style_tensors


def style_by_hand(tensors: dict[str, Tensor], x: Tensor) -> Tensor:
    """The paper's adapter with torch's MultiheadAttention."""

    def norm(h: Tensor, name: str) -> Tensor:
        return layer_norm(h, (WIDTH,), tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    tokens = tensors["style_embedding"].shape[1]
    h = norm(torch.cat([x, tensors["style_embedding"].expand(len(x), -1, -1)], dim=1), "ln_pre")
    for i in range(3):
        at = f"transformer_layes.{i}"
        mix = nn.MultiheadAttention(WIDTH, 8, batch_first=True)
        mix.load_state_dict({n.removeprefix(f"{at}.attn."): t for n, t in tensors.items() if f"{at}.attn." in n})
        n = norm(h, f"{at}.ln_1")
        h = h + mix(n, n, n, need_weights=False)[0]
        n = linear(norm(h, f"{at}.ln_2"), tensors[f"{at}.mlp.c_fc.weight"], tensors[f"{at}.mlp.c_fc.bias"])
        n = n * torch.sigmoid(1.702 * n)
        h = h + linear(n, tensors[f"{at}.mlp.c_proj.weight"], tensors[f"{at}.mlp.c_proj.bias"])
    return norm(h[:, -tokens:], "ln_post") @ tensors["proj"]


@pytest.fixture
def style(folders):
    return load_style(folders, style_tensors())


def load_style(folders, tensors, name="style.safetensors"):
    (folders.base / "models" / "style_models").mkdir(parents=True, exist_ok=True)
    save_file(tensors, folders.base / "models" / "style_models" / name)
    return style_model_loader(style_model_name=name, folders=folders, loader=Loader())


def seen(batch: int = 1, width: int = WIDTH) -> SimpleNamespace:
    return SimpleNamespace(last_hidden_state=rand(batch, 5, width, seed=9))


def applied(style, strength=1.0, kind="multiply", options=None, saw=None, tokens=7):
    entry = [rand(1, tokens, CONTEXT, seed=4), options or {"pooled_output": None}]
    return style_model_apply(
        conditioning=[entry, entry],
        style_model=style,
        clip_vision_output=saw or seen(),
        strength=strength,
        strength_type=kind,
    )


def test_the_style_of_pictures_stands_behind_every_text(style):
    (first, options), (second, _) = applied(style, 0.5, saw=seen(2))
    with torch.no_grad():
        expected = style_by_hand(style_tensors(), seen(2).last_hidden_state) * 0.5
    torch.testing.assert_close(first[:, :7], rand(1, 7, CONTEXT, seed=4))
    torch.testing.assert_close(first[:, 7:], expected.flatten(0, 1)[None], atol=1e-4, rtol=1e-4)
    assert torch.equal(first, second)
    assert "attention_mask" not in options


def test_a_bias_writes_the_mask_and_tells_that_unets_do_not_read_it(style, caplog):
    (tokens, options), _ = applied(style, 0.5, "attn_bias")
    with torch.no_grad():
        plain = style_by_hand(style_tensors(), seen().last_hidden_state)
    torch.testing.assert_close(tokens[:, 7:], plain, atol=1e-4, rtol=0)
    mask = options["attention_mask"]
    assert (mask.shape, mask.dtype, options["attention_mask_img_shape"]) == ((1, 16, 16), torch.float16, (1, 1))
    expected = torch.zeros(16, 16)
    expected[[*range(7), 15], 7:15] = math.log(0.5)
    torch.testing.assert_close(mask[0].float(), expected, atol=1e-3, rtol=0)
    assert "no effect on UNets" in caplog.text


def test_a_mask_from_before_is_kept_around_the_new_tokens(style):
    before = torch.ones(1, 9, 9, dtype=torch.bool)
    before[:, 2, 8] = False
    given = {"attention_mask": before, "attention_mask_img_shape": (1, 2)}
    (_, options), _ = applied(style, 2.0, "multiply", given)
    mask = options["attention_mask"]
    assert mask.shape == (1, 17, 17)
    assert mask[0, 2, 16] == -math.inf
    assert float(mask.isinf().sum()) == 1
    assert float(mask[~mask.isinf()].abs().sum()) == 0
    with pytest.raises(SamplingError, match="attention_mask is for 9 tokens, not 10"):
        applied(style, 2.0, "multiply", given, tokens=8)


def test_other_eyes_and_other_texts_are_refused(style):
    with pytest.raises(CheckpointError, match=r"style\.safetensors reads pictures as 64 features, .* makes 32"):
        applied(style, saw=seen(width=32))
    with pytest.raises(SamplingError, match="expected what CLIPVisionEncode saw"):
        applied(style, saw=SimpleNamespace(x=1))
    with pytest.raises(SamplingError, match="its text has 40 features, the style model makes 24"):
        picture_texts.styled([[rand(1, 7, 40), {}]], rand(1, 8, 24), 1.0, False)


def _changed(change):
    tensors = style_tensors()
    change(tensors)
    return tensors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("transformer_layes.1.mlp.c_fc.bias"), r"transformer_layes\.1\.mlp\.c_fc\.bias is missing"),
        (lambda t: t["proj"].fill_(float("nan")), r"proj holds values that are no numbers"),
        (lambda t: (t.clear(), t.update({"redux_down.weight": torch.zeros(2)})), "Flux Redux"),
        (lambda t: (t.clear(), t.update({"image_proj.latents": torch.zeros(2)})), "it is an IP-Adapter"),
        (lambda t: (t.clear(), t.update({"a": torch.zeros(2)})), "not a style model; expected tensors such as"),
    ],
    ids=["missing", "NaN", "Redux", "IP-Adapter", "unknown"],
)
def test_a_file_of_something_else_is_named(folders, change, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        load_style(folders, _changed(change), "bad.safetensors")
    assert "bad.safetensors" in str(caught.value)


FIRST, SECOND = 24, 40


@pytest.fixture
def tower():
    return families.tower(layers=2, projection=FIRST)


def photomaker_tensors(tower) -> dict[str, Tensor]:
    width = FIRST + SECOND
    shapes = {"visual_projection_2.weight": (SECOND, 64)}
    for mlp, wide in (("mlp1", 2 * width), ("mlp2", width)):
        at = f"fuse_module.{mlp}"
        shapes |= {f"{at}.layernorm.weight": (wide,), f"{at}.layernorm.bias": (wide,)}
        shapes |= {f"{at}.fc1.weight": (width, wide), f"{at}.fc1.bias": (width,)}
        shapes |= {f"{at}.fc2.weight": (width, width), f"{at}.fc2.bias": (width,)}
    shapes |= {"fuse_module.layer_norm.weight": (width,), "fuse_module.layer_norm.bias": (width,)}
    made = {name: rand(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
    return made | {name: each for name, each in tower.state_dict().items() if "position_ids" not in name}


def faces_of(tmp_path, tensors) -> Faces:
    torch.save({"id_encoder": tensors, "lora_weights": {"x": torch.zeros(1)}}, tmp_path / "photomaker-v1.bin")
    part = image_prompts.photomaker(tmp_path / "photomaker-v1.bin", Place(CPU, torch.float32))
    return Faces(part, Keeper())


@pytest.mark.parametrize("photographs", [1, 3])
def test_each_photograph_is_fused_into_a_token_of_its_own(tmp_path, tower, photographs):
    tensors = photomaker_tensors(tower)
    image, tokens = torch.rand(photographs, 40, 33, 3), rand(1, 77, FIRST + SECOND)
    found = faces_of(tmp_path, tensors).fused(tokens, image, 3)

    def mlp(x, at):
        x = layer_norm(x, (x.shape[-1],), tensors[f"{at}.layernorm.weight"], tensors[f"{at}.layernorm.bias"])
        x = gelu(linear(x, tensors[f"{at}.fc1.weight"], tensors[f"{at}.fc1.bias"]))
        return linear(x, tensors[f"{at}.fc2.weight"], tensors[f"{at}.fc2.bias"])

    names = ("fuse_module.layer_norm.weight", "fuse_module.layer_norm.bias")
    for number in range(photographs):
        word = tokens[:, 3 + number]
        with torch.no_grad():
            shared = tower.vision_model(preprocessed(image[number : number + 1], 32)).pooler_output
            second = shared @ tensors["visual_projection_2.weight"].T
            face = torch.cat([tower.visual_projection(shared), second], dim=-1)
            h = mlp(torch.cat([word, face], dim=-1), "fuse_module.mlp1") + word
            h = mlp(h, "fuse_module.mlp2") + h
        expected = layer_norm(h, h.shape[-1:], *(tensors[name] for name in names))
        torch.testing.assert_close(found[:, 3 + number], expected, atol=1e-4, rtol=1e-4)
    others = [i for i in range(77) if not 3 <= i < 3 + photographs]
    assert torch.equal(found[:, others], tokens[:, others])


class Texts:
    """A Clip that remembers what it was asked to encode."""

    def __init__(self) -> None:
        self.tokenizer = Tokenizer()
        self.asked = {}

    def tokenize(self, text):
        return {"clip_l": self.tokenizer.chunks(text)}

    def encode_chunks(self, chunks):
        self.asked = chunks
        return rand(1, 77, FIRST + SECOND), rand(1, SECOND)


def test_the_trigger_says_which_word_becomes_the_face(tmp_path, tower):
    faces, image, texts = faces_of(tmp_path, photomaker_tensors(tower)), torch.rand(1, 32, 32, 3), Texts()
    text = "a photograph of photomaker"
    assert picture_texts.place_of_trigger(text) == 3
    assert picture_texts.place_of_trigger("a photograph of photomakers") is None
    tokens, _ = picture_texts.encoded_with_face(texts, text, faces, image, 3)
    assert texts.asked == {"clip_l": texts.tokenizer.chunks(text)}, "a plain prompt is one piece, and loses nothing"
    assert torch.equal(tokens, faces.fused(rand(1, 77, FIRST + SECOND), image, 3))
    # ComfyUI: where the trigger comes first the only piece of a plain prompt is the one that is dropped.
    picture_texts.encoded_with_face(texts, "photomaker here", faces, image, 0)
    assert [token.piece for token in texts.asked["clip_l"][0]] == [0] * 77
    with pytest.raises(SamplingError, match="at most 75 tokens"):
        picture_texts.encoded_with_face(texts, "word " * 90 + "photomaker", faces, image, 3)


def test_a_word_is_there_as_often_as_there_are_photographs(tmp_path, tower):
    faces, texts = faces_of(tmp_path, photomaker_tensors(tower)), Texts()
    image = torch.rand(3, 32, 32, 3)
    picture_texts.encoded_with_face(texts, "a photograph of photomaker, (glossy:1.3)", faces, image, 3)
    expected = texts.tokenizer.chunks("a photograph of of of photomaker, (glossy:1.3)")
    assert texts.asked == {"clip_l": expected}
    assert len(texts.asked["clip_l"][0]) == 77
    # 75 tokens are a chunk's own; three photographs take two more.
    full = "word " * 71 + "photomaker"  # which is two tokens
    picture_texts.encoded_with_face(texts, full, faces, image, 3)
    with pytest.raises(SamplingError, match=r"at most 73 tokens with 3 photographs, .* or give fewer photographs"):
        picture_texts.encoded_with_face(texts, f"word {full}", faces, image, 3)
    picture_texts.encoded_with_face(texts, f"word word {full}", faces, image[:1], 3)


def test_a_text_of_another_family_is_refused(tmp_path, tower):
    faces = faces_of(tmp_path, photomaker_tensors(tower))
    with pytest.raises(CheckpointError, match=r"texts of 64 features .* this text has 48; take the CLIP of an SDXL"):
        faces.fused(rand(1, 77, 48), torch.rand(1, 32, 32, 3), 3)


def test_what_is_no_photomaker_is_named(tmp_path, tower):
    tensors = photomaker_tensors(tower)
    with pytest.raises(CheckpointError, match="PhotoMaker 2"):
        faces_of(tmp_path, {**tensors, "qformer_perceiver.token_proj.0.weight": torch.zeros(1)})
    del tensors["fuse_module.mlp2.fc2.bias"]
    with pytest.raises(CheckpointError, match=r"fuse_module\.mlp2\.fc2\.bias is missing"):
        faces_of(tmp_path, tensors)
    with pytest.raises(CheckpointError, match="not PhotoMaker; it is a LoRA"):
        faces_of(tmp_path, {"lora_unet_a.lora_up.weight": torch.zeros(1)})


def test_without_its_word_a_text_is_encoded_as_always(bench, tmp_path, tower):
    from tests.nodes.bench import Drawing

    start = Drawing()
    faces = bench.constant(start.graph, faces_of(tmp_path, photomaker_tensors(tower)))
    image = bench.constant(start.graph, torch.rand(1, 32, 32, 3))
    given = {"photomaker": faces, "image": image, "clip": start.clip}
    plain = start.graph.node("PhotoMakerEncode", **given, text="a red apple, (glossy:1.3)")
    found, expected = (bench.value(start.graph, each) for each in (plain, start.positive))
    assert torch.equal(found[0][0], expected[0][0])
    one = {"image": image, "text": "photograph of photomaker", "same": "photograph of photomaker", "places": [2]}
    two = bench.constant(start.graph, torch.rand(2, 32, 32, 3))
    several = {"image": two, "text": one["text"], "same": "photograph of of photomaker", "places": [2, 3]}
    for each in (one, several):
        other = start.graph.node("PhotoMakerEncode", **{**given, "image": each["image"]}, text=each["text"])
        ((tokens, options),) = bench.value(start.graph, other)
        ((unfused, _),) = bench.value(start.graph, start.text(each["same"]))
        same = [bool(torch.equal(a, b)) for a, b in zip(tokens[0], unfused[0], strict=True)]
        assert [place for place, is_same in enumerate(same) if not is_same] == each["places"]
        assert torch.isfinite(tokens).all()
        assert [*options] == ["pooled_output"]
