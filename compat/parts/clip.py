"""The CLIP object of ComfyUI, `comfy.sd.CLIP`: tokenizer, text encoders and their patches as plugins hold them."""

from collections.abc import Mapping
from typing import Any

import comfy.model_management
import comfy.model_patcher
from torch import Tensor

from compat.parts import towers
from engine.devices.patches import patched
from engine.values import Clip


class CLIP:
    """What tokenises and encodes. `patcher` wraps `cond_stage_model`; clones share the network."""

    def __init__(
        self,
        target: Any = None,
        embedding_directory: Any = None,
        no_init: bool = False,
        tokenizer_data: Mapping[str, Any] | None = None,
        parameters: int = 0,
        model_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.layer_idx: int | None = None
        self.use_clip_schedule = False
        self.apply_hooks_to_conds: Any = None
        self.tokenizer_options: dict[str, Any] = {}
        self.ours: Clip | None = None  # what it was made from
        self.left: Clip | None = None  # as it went on over a wire
        self.made_tokenizer: Any = None
        if no_init:
            return
        options: Mapping[str, Any] = model_options or {}
        self._hold(
            target.clip(**{**target.params, "device": "cpu", "dtype": options.get("dtype"), "model_options": options}),
            target.tokenizer(embedding_directory=embedding_directory, tokenizer_data=tokenizer_data),
        )

    @classmethod
    def holding(cls, stage: Any, tokenizer: Any) -> "CLIP":
        """A CLIP object of a module of text encoders and their tokenizers."""
        made = cls(no_init=True)
        made._hold(stage, tokenizer)
        return made

    @classmethod
    def around(cls, clip: Clip) -> "CLIP":
        """A CLIP object over our text encoders, their layers and patches included."""
        made = cls.holding(towers.stage_model(clip), towers.tokenizer_of(clip))
        towers.give_patches(made.patcher, clip.patches)
        made.ours = clip
        return made

    def _hold(self, stage: Any, tokenizer: Any) -> None:
        self.cond_stage_model = stage
        self.tokenizer = self.made_tokenizer = tokenizer
        self.patcher: Any = comfy.model_patcher.ModelPatcher(
            stage,
            load_device=comfy.model_management.text_encoder_device(),
            offload_device=comfy.model_management.text_encoder_offload_device(),
        )
        self.patcher.is_clip = True

    def clone(self) -> "CLIP":
        """Another CLIP with the same network, tokenizer, layer and patches."""
        made = type(self)(no_init=True)
        made.patcher = self.patcher.clone()
        made.cond_stage_model = self.cond_stage_model
        made.tokenizer, made.made_tokenizer, made.ours = self.tokenizer, self.made_tokenizer, self.ours
        made.layer_idx = self.layer_idx
        made.tokenizer_options = self.tokenizer_options.copy()
        made.use_clip_schedule = self.use_clip_schedule
        made.apply_hooks_to_conds = self.apply_hooks_to_conds
        return made

    def add_patches(
        self, patches: Mapping[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[Any]:
        """Changes of weights, by their names in `cond_stage_model`. Returns: the names that are its."""
        return self.patcher.add_patches(patches, strength_patch, strength_model)

    def set_tokenizer_option(self, option_name: str, value: Any) -> None:
        """Handed to the tokenizers with every text."""
        self.tokenizer_options[option_name] = value

    def clip_layer(self, layer_idx: int | None) -> None:
        """Which layer to take; -1 is the last."""
        self.layer_idx = layer_idx

    def tokenize(self, text: str, return_word_ids: bool = False, **kwargs: Any) -> Any:
        """A prompt as chunks of (token, weight), by encoder; with the number of its piece when asked."""
        options = kwargs.pop("tokenizer_options", {})
        if self.tokenizer_options or options:
            kwargs["tokenizer_options"] = {**self.tokenizer_options, **options}
        return self.tokenizer.tokenize_with_weights(text, return_word_ids, **kwargs)

    def add_hooks_to_dict(self, pooled_dict: dict[str, Any]) -> dict[str, Any]:
        """The options of a condition with the hooks that go with this CLIP's texts."""
        if self.apply_hooks_to_conds:
            pooled_dict["hooks"] = self.apply_hooks_to_conds
        return pooled_dict

    def encode_from_tokens(self, tokens: Any, return_pooled: Any = False, return_dict: bool = False) -> Any:
        """Tokens as vectors [1, T, D]; with the summary, or as a dict with all there is, when asked.

        `return_pooled` "unprojected" gives the summary as it is before its projection.
        """
        self._choose_layer(return_pooled)
        self.load_model()
        found = self._encoded(tokens)
        if return_dict:
            return self.add_hooks_to_dict(found)
        return (found["cond"], found["pooled_output"]) if return_pooled else found["cond"]

    def _choose_layer(self, return_pooled: Any) -> None:
        self.cond_stage_model.reset_clip_options()
        if self.layer_idx is not None:
            self.cond_stage_model.set_clip_options({"layer": self.layer_idx})
        if return_pooled == "unprojected":
            self.cond_stage_model.set_clip_options({"projected_pooled": False})

    def _encoded(self, tokens: Any) -> dict[str, Any]:
        cond, pooled, *rest = self.cond_stage_model.encode_token_weights(tokens)
        found = {"cond": cond, "pooled_output": pooled}
        for extra in rest:
            found.update(extra)
        return found

    def encode_from_tokens_scheduled(
        self, tokens: Any, unprojected: bool = False, add_dict: Mapping[str, Any] | None = None, show_pbar: bool = True
    ) -> list[list[Any]]:
        """Tokens as CONDITIONING; one entry, or one per range of steps where hooks change the encoder over time."""
        kind: Any = "unprojected" if unprojected else True
        hooks = getattr(self.patcher, "forced_hooks", None)
        if not hooks or not self.use_clip_schedule:
            return [self._entry(tokens, kind, add_dict)]
        self._choose_layer(kind)
        self.load_model()
        entries = []
        hooks.reset()
        for (start, end), keyframes in hooks.get_hooks_for_clip_schedule():
            for hook, keyframe in keyframes:
                hook.hook_keyframe._current_keyframe = keyframe
            self.patcher.patch_hooks(hooks)
            found = self.add_hooks_to_dict(self._encoded(tokens))
            span = {"clip_start_percent": start, "clip_end_percent": end}
            entries.append([found.pop("cond"), {**found, **span, **(add_dict or {})}])
        hooks.reset()
        return entries

    def _entry(self, tokens: Any, return_pooled: Any, add_dict: Mapping[str, Any] | None) -> list[Any]:
        found = self.encode_from_tokens(tokens, return_pooled=return_pooled, return_dict=True)
        cond = found.pop("cond")
        return [cond, {**found, **(add_dict or {})}]

    def encode(self, text: str) -> Any:
        """A prompt as vectors."""
        return self.encode_from_tokens(self.tokenize(text))

    def load_model(self) -> Any:
        """Brings the encoders where they work, their patches on. Returns: the patcher."""
        comfy.model_management.load_model_gpu(self.patcher)
        return self.patcher

    def get_sd(self) -> dict[str, Tensor]:
        """The weights by their names in `cond_stage_model`, patches worked in."""
        self.load_model()
        state = dict(self.cond_stage_model.state_dict())
        residence = self.patcher.residence
        if residence is not None:
            changes = self.patcher.engine_patches()
            for name in changes.keys() & residence.part.weights.keys():
                weight = residence.part.weights[name]
                state[residence.prefix + name] = patched(name, weight, changes[name], residence.device)
        return {**state, **self.tokenizer.state_dict()}

    def load_sd(self, sd: Mapping[str, Tensor], full_model: bool = False) -> Any:
        """Takes weights over, one encoder's or (`full_model`) those of all by their full names.

        Returns: names missing, and names not known.
        """
        if not full_model:
            return self.cond_stage_model.load_sd(sd)
        missing: list[str] = []
        unknown = set(sd)
        for name, encoder in towers.encoders_of(self.cond_stage_model).items():
            own = {key.removeprefix(f"{name}."): tensor for key, tensor in sd.items() if key.startswith(f"{name}.")}
            if own:
                missing += encoder.load_sd(own)[0]
                unknown -= {f"{name}.{key}" for key in own}
        return missing, sorted(unknown)

    def get_key_patches(self) -> Any:
        """Every weight with its patches."""
        return self.patcher.get_key_patches()
