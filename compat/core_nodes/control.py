"""ComfyUI's core nodes for control pictures, as classes; they work with any object that has a control's methods.

Source: node_behaviour.md 1.3.
"""

from collections.abc import Sequence
from typing import Any

import comfy
import folder_paths
from torch import Tensor

from compat.core_nodes.widgets import STRENGTH, number, wires

Conditioning = Sequence[Sequence[Any]]


class ControlNetLoader:
    """Loads a ControlNet."""

    RETURN_TYPES = ("CONTROL_NET",)
    FUNCTION = "load_controlnet"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"control_net_name": (folder_paths.get_filename_list("controlnet"),)}}

    def load_controlnet(self, control_net_name: str) -> tuple[Any]:
        """The ControlNet of a file. Raises: RuntimeError, when the file holds none."""
        return (_recognised(control_net_name, None),)


class DiffControlNetLoader:
    """Loads a ControlNet of which only the difference to its model was saved."""

    RETURN_TYPES = ("CONTROL_NET",)
    FUNCTION = "load_controlnet"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {
            "required": {**wires(model="MODEL"), "control_net_name": (folder_paths.get_filename_list("controlnet"),)}
        }

    def load_controlnet(self, model: Any, control_net_name: str) -> tuple[Any]:
        """The ControlNet of a file on top of this model."""
        return (_recognised(control_net_name, model),)


def _recognised(name: str, model: Any) -> Any:
    path = folder_paths.get_full_path_or_raise("controlnet", name)
    found = comfy.controlnet.load_controlnet(path, model)
    if found is None:
        raise RuntimeError(f"{name}: no ControlNet inside; choose a file of models/controlnet that holds one")
    return found


class ControlNetApply:
    """Lets a hint guide the drawing, the negative side by the same hint."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "apply_controlnet"
    CATEGORY = "conditioning/controlnet"
    DEPRECATED = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        given = wires(conditioning="CONDITIONING", control_net="CONTROL_NET", image="IMAGE")
        return {"required": {**given, "strength": STRENGTH}}

    def apply_controlnet(
        self, conditioning: Conditioning, control_net: Any, image: Tensor, strength: float
    ) -> tuple[Any]:
        """Every entry with the hint, after those it has; strength 0 changes nothing."""
        if strength == 0:
            return (conditioning,)
        made = []
        for tokens, options in conditioning:
            control = control_net.copy().set_cond_hint(image.movedim(-1, 1), strength)
            if "control" in options:
                control.set_previous_controlnet(options["control"])
            made.append([tokens, {**options, "control": control, "control_apply_to_uncond": True}])
        return (made,)


class ControlNetApplyAdvanced:
    """Lets a hint guide a part of the steps, on both sides alike."""

    RETURN_TYPES = ("CONDITIONING", "CONDITIONING")
    RETURN_NAMES = ("positive", "negative")
    FUNCTION = "apply_controlnet"
    CATEGORY = "conditioning/controlnet"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        given = wires(positive="CONDITIONING", negative="CONDITIONING", control_net="CONTROL_NET", image="IMAGE")
        ends = {"start_percent": number(0.0, step=0.001), "end_percent": number(1.0, step=0.001)}
        return {"required": {**given, "strength": STRENGTH, **ends}, "optional": wires(vae="VAE")}

    def apply_controlnet(
        self,
        positive: Conditioning,
        negative: Conditioning,
        control_net: Any,
        image: Tensor,
        strength: float,
        start_percent: float,
        end_percent: float,
        vae: Any = None,
        extra_concat: Sequence[Any] = (),
    ) -> tuple[Any, Any]:
        """Both sides with the hint; entries that had the same hint before share one copy."""
        if strength == 0:
            return (positive, negative)
        hint = image.movedim(-1, 1)
        copies: dict[Any, Any] = {}

        def after(previous: Any) -> Any:
            if previous not in copies:
                percents = (start_percent, end_percent)
                # Positional, as plugins' own control objects may name these as they like.
                made = control_net.copy().set_cond_hint(hint, strength, percents, vae=vae, extra_concat=[*extra_concat])
                made.set_previous_controlnet(previous)
                copies[previous] = made
            return copies[previous]

        sides = []
        for side in (positive, negative):
            said = [
                [tokens, {**options, "control": after(options.get("control")), "control_apply_to_uncond": False}]
                for tokens, options in side
            ]
            sides.append(said)
        return (sides[0], sides[1])
