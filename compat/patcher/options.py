"""The side of a ModelPatcher that holds functions: hooks into guidance and into the network."""

import inspect
from collections.abc import Callable
from typing import Any

from comfy import patcher_extension

Function = Callable[..., Any]
Options = dict[str, Any]


def create_model_options_clone(orig_model_options: Options) -> Options:
    """A copy whose dictionaries and lists are its own."""
    return patcher_extension.copy_nested_dicts(orig_model_options)


def set_model_options_patch_replace(
    model_options: Options,
    patch: Function,
    name: str,
    block_name: str,
    number: int,
    transformer_index: int | None = None,
) -> Options:
    """The options with a function in the place of an attention; the options given stay as they are."""
    made = dict(model_options)
    inner = made["transformer_options"] = dict(made.get("transformer_options", {}))
    replaces = inner["patches_replace"] = dict(inner.get("patches_replace", {}))
    replaces[name] = dict(replaces.get(name, {}))
    place: tuple[Any, ...] = (block_name, number)
    replaces[name][place if transformer_index is None else (*place, transformer_index)] = patch
    return made


def set_model_options_post_cfg_function(
    model_options: Options, post_cfg_function: Function, disable_cfg1_optimization: bool = False
) -> Options:
    """The options with one more function after guidance."""
    return _appended(model_options, "sampler_post_cfg_function", post_cfg_function, disable_cfg1_optimization)


def set_model_options_pre_cfg_function(
    model_options: Options, pre_cfg_function: Function, disable_cfg1_optimization: bool = False
) -> Options:
    """The options with one more function before guidance."""
    return _appended(model_options, "sampler_pre_cfg_function", pre_cfg_function, disable_cfg1_optimization)


def _appended(options: Options, name: str, function: Function, both: bool) -> Options:
    options[name] = [*options.get(name, []), function]
    if both:
        options["disable_cfg1_optimization"] = True
    return options


class OptionsSide:
    """Setters; each adds to `model_options` of this patcher alone."""

    model_options: Options

    def set_model_sampler_cfg_function(
        self, sampler_cfg_function: Function, disable_cfg1_optimization: bool = False
    ) -> None:
        """Replaces the guidance formula: fn(args), or fn(cond, uncond, scale)."""
        if len(inspect.signature(sampler_cfg_function).parameters) == 3:
            self.model_options["sampler_cfg_function"] = lambda args: sampler_cfg_function(
                args["cond"], args["uncond"], args["cond_scale"]
            )
        else:
            self.model_options["sampler_cfg_function"] = sampler_cfg_function
        if disable_cfg1_optimization:
            self.model_options["disable_cfg1_optimization"] = True

    def set_model_sampler_post_cfg_function(
        self, post_cfg_function: Function, disable_cfg1_optimization: bool = False
    ) -> None:
        """One more function after guidance."""
        self.model_options = set_model_options_post_cfg_function(
            self.model_options, post_cfg_function, disable_cfg1_optimization
        )

    def set_model_sampler_pre_cfg_function(
        self, pre_cfg_function: Function, disable_cfg1_optimization: bool = False
    ) -> None:
        """One more function before guidance."""
        self.model_options = set_model_options_pre_cfg_function(
            self.model_options, pre_cfg_function, disable_cfg1_optimization
        )

    def set_model_sampler_calc_cond_batch_function(self, sampler_calc_cond_batch_function: Function) -> None:
        """Replaces how all conditions are asked about."""
        self.model_options["sampler_calc_cond_batch_function"] = sampler_calc_cond_batch_function

    def set_model_unet_function_wrapper(self, unet_wrapper_function: Function) -> None:
        """Puts a function around the network; there is only one."""
        self.model_options["model_function_wrapper"] = unet_wrapper_function

    def set_model_denoise_mask_function(self, denoise_mask_function: Function) -> None:
        """Says where is redrawn, at each noise level."""
        self.model_options["denoise_mask_function"] = denoise_mask_function

    def set_model_patch(self, patch: Any, name: str) -> None:
        """One more function at a place of the network."""
        inner = self.model_options["transformer_options"]
        patches = inner.setdefault("patches", {})
        patches[name] = [*patches.get(name, []), patch]

    def set_model_patch_replace(
        self, patch: Any, name: str, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        """A function in the place of an attention."""
        self.model_options = set_model_options_patch_replace(
            self.model_options, patch, name, block_name, number, transformer_index
        )

    def set_model_attn1_patch(self, patch: Any) -> None:
        """Before self-attention."""
        self.set_model_patch(patch, "attn1_patch")

    def set_model_attn2_patch(self, patch: Any) -> None:
        """Before attention to the text."""
        self.set_model_patch(patch, "attn2_patch")

    def set_model_attn1_replace(
        self, patch: Any, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        """In the place of self-attention."""
        self.set_model_patch_replace(patch, "attn1", block_name, number, transformer_index)

    def set_model_attn2_replace(
        self, patch: Any, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        """In the place of attention to the text."""
        self.set_model_patch_replace(patch, "attn2", block_name, number, transformer_index)

    def set_model_attn1_output_patch(self, patch: Any) -> None:
        """After self-attention."""
        self.set_model_patch(patch, "attn1_output_patch")

    def set_model_attn2_output_patch(self, patch: Any) -> None:
        """After attention to the text."""
        self.set_model_patch(patch, "attn2_output_patch")

    def set_model_input_block_patch(self, patch: Any) -> None:
        """After an input block."""
        self.set_model_patch(patch, "input_block_patch")

    def set_model_input_block_patch_after_skip(self, patch: Any) -> None:
        """After an input block, where its skip connection is not changed."""
        self.set_model_patch(patch, "input_block_patch_after_skip")

    def set_model_output_block_patch(self, patch: Any) -> None:
        """Before an output block."""
        self.set_model_patch(patch, "output_block_patch")

    def set_model_emb_patch(self, patch: Any) -> None:
        """On the embedding of time."""
        self.set_model_patch(patch, "emb_patch")

    def set_model_forward_timestep_embed_patch(self, patch: Any) -> None:
        """Runs layers of a plugin's own: a pair (class, function)."""
        self.set_model_patch(patch, "forward_timestep_embed_patch")

    def set_model_double_block_patch(self, patch: Any) -> None:
        """After a double block of a transformer."""
        self.set_model_patch(patch, "double_block")

    def set_model_post_input_patch(self, patch: Any) -> None:
        """After a transformer's inputs are embedded."""
        self.set_model_patch(patch, "post_input")

    def set_model_rope_options(self, **options: Any) -> None:
        """How places are told to a video transformer."""
        self.model_options["transformer_options"]["rope_options"] = options

    def model_patches_to(self, device: Any) -> None:
        """Moves (or casts) what plugins put in, where it knows how to."""
        inner = self.model_options["transformer_options"]
        for patches in inner.get("patches", {}).values():
            for place, patch in enumerate(patches):
                if hasattr(patch, "to"):
                    patches[place] = patch.to(device)
        for replaces in inner.get("patches_replace", {}).values():
            for key, patch in replaces.items():
                if hasattr(patch, "to"):
                    replaces[key] = patch.to(device)
        wrapper: Any = self.model_options.get("model_function_wrapper")
        if hasattr(wrapper, "to"):
            self.model_options["model_function_wrapper"] = wrapper.to(device)

    def model_patches_models(self) -> list[Any]:
        """Further patchers that what plugins put in works with."""
        inner = self.model_options["transformer_options"]
        patches = [each for patches in inner.get("patches", {}).values() for each in patches]
        patches += [each for replaces in inner.get("patches_replace", {}).values() for each in replaces.values()]
        wrapper = self.model_options.get("model_function_wrapper")
        found = [patch.models() for patch in [*patches, wrapper] if hasattr(patch, "models")]
        return [model for models in found for model in models]
