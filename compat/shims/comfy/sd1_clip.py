"""CLIP text encoders and their tokenizers as ComfyUI names them, over engine.text.

SDClipModel is one encoder, SD1ClipModel the shell that a CLIP object holds; SDTokenizer and SD1Tokenizer likewise.
Weights stay where the engine keeps them: they come to the device for as long as something is encoded.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import comfy.clip_model
from compat.parts.tokens import Pair, chunk_of, pairs_of, unweighted
from compat.residence import Residence
from engine.checkpoints.tensors import read_object
from engine.devices.residency import Keeper, Part
from engine.text.clip import TextEncoder
from engine.text.embedding import Embeddings
from engine.text.emphasis import spans
from engine.text.encoder import fitting, hidden_states
from engine.text.tokenizer import END, Chunk, Tokenizer

_CLOSING, _OPENING = "\0\1", "\0\2"


def escape_important(text: str) -> str:
    """Literal parentheses, written \\( and \\), as signs that no prompt has."""
    return text.replace("\\)", _CLOSING).replace("\\(", _OPENING)


def unescape_important(text: str) -> str:
    """Those signs as the parentheses they stand for."""
    return text.replace(_CLOSING, ")").replace(_OPENING, "(")


def token_weights(string: str, current_weight: float) -> list[tuple[str, float]]:
    """A prompt cut where weights change: (text, weight). Parentheses are escaped already."""
    return [(span.text, span.weight) for span in spans(string, current_weight)]


def expand_directory_list(directories: Sequence[str]) -> list[str]:
    """These folders and all below them."""
    found: dict[str, None] = {}
    for folder in directories:
        found[str(folder)] = None
        found.update({str(path): None for path in sorted(Path(folder).rglob("*")) if path.is_dir()})
    return list(found)


def gen_empty_tokens(special_tokens: Mapping[str, int | None], length: int) -> list[int]:
    """The tokens of an empty prompt: start, end, padding."""
    framed = [special_tokens.get(name) for name in ("start", "end")]
    tokens = [token for token in framed if token is not None]
    pad = special_tokens.get("pad")
    return tokens + [pad if pad is not None else 0] * (length - len(tokens))


def load_embed(
    embedding_name: str, embedding_directory: Any, embedding_size: int, embed_key: str | None = None
) -> Tensor | None:
    """The learned vectors of a name, [n, D], or None."""
    folders = [embedding_directory] if isinstance(embedding_directory, str | Path) else embedding_directory or []
    found = Embeddings([Path(folder) for folder in folders], read_object)
    return found.find(embedding_name, embed_key or "clip_l", embedding_size)


class ClipTokenWeightEncoder:
    """How weights pull vectors away from an empty prompt's; `encode` and `special_tokens` are the class's own."""

    def encode_token_weights(self, token_weight_pairs: Sequence[Sequence[Pair]]) -> tuple[Any, ...]:
        """Chunks of (token, weight) as vectors [1, T·chunks, D] and the first chunk's summary [1, D]."""
        chunks = [chunk_of(pairs) for pairs in token_weight_pairs] or [chunk_of(self._empty_pairs(77))]
        longest = max(len(chunk) for chunk in chunks)
        weights = torch.ones(len(chunks), longest)
        for row, chunk in enumerate(chunks):
            weights[row, : len(chunk)] = torch.tensor([token.weight for token in chunk])
        is_weighted = bool((weights != 1.0).any())
        bare = [[pair[0] for pair in pairs_of(chunk)] for chunk in chunks]
        states, pooled, *_ = self.encode([*bare, *[[pair[0] for pair in self._empty_pairs(longest)]] * is_weighted])  # type: ignore[attr-defined]
        if is_weighted:
            states, base = states[:-1], states[-1:]
            states = base + weights[:, :, None].to(states) * (states - base)
        states = states.reshape(1, -1, states.shape[-1])
        return states.cpu(), (pooled if pooled is None else pooled[:1].cpu())

    def _empty_pairs(self, length: int) -> list[Pair]:
        return [(token, 1.0) for token in gen_empty_tokens(self.special_tokens, length)]  # type: ignore[attr-defined]


class SDClipModel(nn.Module, ClipTokenWeightEncoder):
    """One CLIP text encoder. `around` makes it of weights that the engine keeps; `load_sd` gives it weights later."""

    LAYERS = ["last", "pooled", "hidden", "all"]

    def __init__(
        self,
        device: Any = "cpu",
        max_length: int = 77,
        freeze: bool = True,
        layer: str = "last",
        layer_idx: int | None = None,
        textmodel_json_config: dict[str, Any] | None = None,
        dtype: torch.dtype | None = None,
        model_class: Any = None,
        special_tokens: Mapping[str, int] | None = None,
        layer_norm_hidden_state: bool = True,
        enable_attention_masks: bool = False,
        zero_out_masked: bool = False,
        return_projected_pooled: bool = True,
        return_attention_masks: bool = False,
        model_options: Mapping[str, Any] | None = None,
        tower: TextEncoder | None = None,
    ) -> None:
        super().__init__()
        options: Mapping[str, Any] = model_options or {}
        kind = model_class or comfy.clip_model.CLIPTextModel
        extra = {"tower": tower} if tower is not None else {}
        config = options.get("textmodel_json_config", textmodel_json_config)
        self.transformer: Any = kind(config, dtype, device, None, **extra)
        self.num_layers: int = self.transformer.num_layers
        self.max_length = max_length
        self.layer = layer
        self.layer_idx = layer_idx
        self.special_tokens = dict(special_tokens or {"start": END - 1, "end": END, "pad": END})
        self.layer_norm_hidden_state = layer_norm_hidden_state
        self.return_projected_pooled = return_projected_pooled
        self.enable_attention_masks = enable_attention_masks
        self.zero_out_masked = zero_out_masked
        self.return_attention_masks = return_attention_masks
        self.dtypes = {dtype or torch.float32}
        self.residence: Residence | None = None
        self.set_clip_options({"layer": layer_idx} if layer == "hidden" else {})
        self.options_default = (self.layer, self.layer_idx, self.return_projected_pooled)
        self.register_state_dict_post_hook(_with_weights_at_rest)

    @classmethod
    def around(cls, part: Part[Any], keeper: Keeper, prefix: str, **options: Any) -> "SDClipModel":
        """An encoder whose weights the engine keeps. `prefix` is before them in the module that holds it."""
        made = cls(tower=part.module, dtype=part.place.dtype, **options)
        made.residence = Residence(part, keeper, prefix)
        return made

    def set_clip_options(self, options: Mapping[str, Any]) -> None:
        """`layer`: which layer to take (-1 the last); `projected_pooled`: whether the summary is projected."""
        layer = options.get("layer", self.layer_idx)
        self.return_projected_pooled = options.get("projected_pooled", self.return_projected_pooled)
        if layer is None or abs(layer) > self.num_layers:
            self.layer = "last" if self.layer == "hidden" else self.layer
        else:
            self.layer, self.layer_idx = "hidden", layer

    def reset_clip_options(self) -> None:
        """As it was made."""
        self.layer, self.layer_idx, self.return_projected_pooled = self.options_default

    @contextmanager
    def ready(self) -> Iterator[Any]:
        """The text tower on its device with its patches on, for as long as the block lasts."""
        if self.residence is None:
            yield self.transformer.text_model
        else:
            with self.residence.using() as tower:
                yield tower

    def forward(self, tokens: Sequence[Sequence[Any]]) -> tuple[Tensor, Tensor]:
        """What the chosen layer makes of chunks of tokens [n, T, D], and their summaries [n, D]."""
        longest = max(len(chunk) for chunk in tokens)
        pad = self.special_tokens.get("pad", 0)
        full = [unweighted([*chunk, *[pad] * (longest - len(chunk))]) for chunk in tokens]
        with self.ready() as tower:
            chunks: list[Chunk] = [fitting(chunk, tower.text_config.width) for chunk in full]
            return hidden_states(tower, chunks, *self._layer(), self.return_projected_pooled)

    def encode(self, tokens: Sequence[Sequence[Any]]) -> tuple[Tensor, Tensor]:
        """As calling it."""
        return self(tokens)

    def _layer(self) -> tuple[int, bool]:
        """Which layer, counted from the end, and whether the last norm is put on it."""
        if self.layer != "hidden" or self.layer_idx is None:
            return -1, True
        index = self.layer_idx if self.layer_idx < 0 else self.layer_idx - self.num_layers
        return index, self.layer_norm_hidden_state

    def load_sd(self, sd: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
        """Takes these weights over; what is not among them stays. Returns: names missing, and names not known."""
        from compat.parts.towers import with_weights  # which knows devices; they are needed here only

        return with_weights(self, sd)


def _with_weights_at_rest(model: Any, state: dict[str, Any], prefix: str, _: Any) -> None:
    """A state dict tells the weights as they are stored, wherever the network is."""
    if model.residence is not None:
        weights = model.residence.part.weights
        known = {f"{prefix}transformer.text_model.{name}": weight for name, weight in weights.items()}
        state.update({name: weight for name, weight in known.items() if name in state})
    inner = f"{prefix}transformer.text_model.text_projection.weight"
    if inner in state:
        state[f"{prefix}transformer.text_projection.weight"] = state.pop(inner)


class SD1ClipModel(nn.Module):
    """The encoders of a family; Stable Diffusion 1 has one. `clip` is the name of the member that holds it."""

    def __init__(
        self,
        device: Any = "cpu",
        dtype: torch.dtype | None = None,
        model_options: Mapping[str, Any] | None = None,
        clip_name: str = "l",
        clip_model: Any = None,
        name: str | None = None,
        encoder: SDClipModel | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.clip_name = clip_name
        self.clip = name or f"clip_{clip_name}"
        made = encoder or (clip_model or SDClipModel)(device=device, dtype=dtype, model_options=model_options, **kwargs)
        setattr(self, self.clip, made)
        self.dtypes = set(made.dtypes)

    @property
    def residence(self) -> Residence | None:
        """Where its weights live, when the engine keeps them."""
        return getattr(self, self.clip).residence

    def encoders(self) -> dict[str, SDClipModel]:
        """Name in token dicts -> encoder."""
        return {self.clip_name: getattr(self, self.clip)}

    def set_clip_options(self, options: Mapping[str, Any]) -> None:
        """For every encoder."""
        for encoder in self.encoders().values():
            encoder.set_clip_options(options)

    def reset_clip_options(self) -> None:
        """For every encoder."""
        for encoder in self.encoders().values():
            encoder.reset_clip_options()

    def encode_token_weights(self, token_weight_pairs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Tokens by encoder as vectors [1, T, D] and a summary [1, P]."""
        return getattr(self, self.clip).encode_token_weights(token_weight_pairs[self.clip_name])

    def load_sd(self, sd: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
        """Takes these weights over. Returns: names missing, and names not known."""
        return getattr(self, self.clip).load_sd(sd)


class SD1CheckpointClipModel(SD1ClipModel):
    """As a whole checkpoint holds it: no projection of the summary."""

    def __init__(self, device: Any = "cpu", dtype: torch.dtype | None = None, model_options: Any = None) -> None:
        super().__init__(device, dtype, model_options, return_projected_pooled=False)


class SDTokenizer:
    """One encoder's tokens. `tokenizer` is transformers' own; `embedding_directory` where learned words are."""

    def __init__(
        self,
        tokenizer_path: str | None = None,
        max_length: int = 77,
        pad_with_end: bool = True,
        embedding_directory: Any = None,
        embedding_size: int = 768,
        embedding_key: str = "clip_l",
        tokenizer_class: Any = None,
        has_start_token: bool = True,
        has_end_token: bool = True,
        pad_to_max_length: bool = True,
        min_length: int | None = None,
        tokenizer_data: Mapping[str, Any] | None = None,
        ours: Tokenizer | None = None,
    ) -> None:
        self.ours = ours or Tokenizer(END if pad_with_end else 0)
        self.tokenizer: Any = self.ours.vocabulary
        self.max_length, self.min_length = max_length, min_length
        self.tokens_start = 1 if has_start_token else 0
        self.start_token, self.end_token = END - 1, END
        self.pad_with_end = pad_with_end
        self.pad_token = self.ours.padding
        self.pad_to_max_length = pad_to_max_length
        self.inv_vocab = {number: word for word, number in self.tokenizer.get_vocab().items()}
        self.embedding_directory = embedding_directory
        self.embedding_identifier = "embedding:"
        self.embedding_size, self.embedding_key = embedding_size, embedding_key
        self.max_word_length = 8

    def _try_get_embedding(self, embedding_name: str) -> tuple[Tensor | None, str]:
        """The vectors of a name, and the commas behind it that are text when only the bare name is known."""
        found = load_embed(embedding_name, self.embedding_directory, self.embedding_size, self.embedding_key)
        bare = embedding_name.rstrip(",")
        if found is None and bare != embedding_name:
            found = load_embed(bare, self.embedding_directory, self.embedding_size, self.embedding_key)
            return found, embedding_name[len(bare) :]
        return found, ""

    def tokenize_with_weights(
        self,
        text: str,
        return_word_ids: bool = False,
        tokenizer_options: Mapping[str, Any] | None = None,
        disable_weights: bool = False,
        **_: Any,
    ) -> list[list[Pair]]:
        """A prompt as chunks of (token, weight), with the piece's number when asked."""
        if disable_weights or (tokenizer_options or {}).get("disable_weights"):
            text = text.replace("(", "\\(").replace(")", "\\)")

        def find(name: str) -> Tensor | None:
            found, rest = self._try_get_embedding(name)
            return found if not rest else None  # the bare name is asked for next, and then the commas stay text

        return [pairs_of(chunk, return_word_ids) for chunk in self.ours.chunks(text, find)]

    def untokenize(self, token_weight_pair: Sequence[Pair]) -> list[tuple[Pair, str]]:
        """Each pair with the word of the vocabulary it stands for."""
        return [
            (pair, "" if isinstance(pair[0], Tensor) else self.inv_vocab.get(int(pair[0]), ""))
            for pair in token_weight_pair
        ]

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the vocabulary comes with the program."""
        return {}


class SD1Tokenizer:
    """The tokenizers of a family; Stable Diffusion 1 has one."""

    def __init__(
        self,
        embedding_directory: Any = None,
        tokenizer_data: Mapping[str, Any] | None = None,
        clip_name: str = "l",
        tokenizer: Any = SDTokenizer,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self.clip_name = clip_name
        self.clip = name or f"clip_{clip_name}"
        setattr(self, self.clip, tokenizer(embedding_directory=embedding_directory, **options))

    def tokenizers(self) -> dict[str, SDTokenizer]:
        """Name in token dicts -> tokenizer."""
        return {self.clip_name: getattr(self, self.clip)}

    def tokenize_with_weights(
        self, text: str, return_word_ids: bool = False, tokenizer_options: Any = None, **kwargs: Any
    ) -> dict[str, list[list[Pair]]]:
        """A prompt as chunks of (token, weight), by encoder."""
        options: Mapping[str, Any] = tokenizer_options or {}
        return {
            name: tokenizer.tokenize_with_weights(
                text,
                return_word_ids,
                tokenizer_options={**options, **options.get(f"{self.clip_name}_options", {})},
                **kwargs,
            )
            for name, tokenizer in self.tokenizers().items()
        }

    def untokenize(self, token_weight_pair: Sequence[Pair]) -> list[tuple[Pair, str]]:
        """Each pair with the word of the vocabulary it stands for."""
        return getattr(self, self.clip).untokenize(token_weight_pair)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the vocabulary comes with the program."""
        return {}
