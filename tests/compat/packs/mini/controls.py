"""A control of an author's own: a ControlBase without a network of ours, chained with others and limited in time."""

import comfy.controlnet
import comfy.utils


class Brightness(comfy.controlnet.ControlBase):
    """Adds the hint's brightness to the middle block, by step weights."""

    def __init__(self, weights=None):
        super().__init__()
        self.weights = weights or [1.0]
        self.asked = []

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        previous = None
        if self.previous_controlnet is not None:
            previous = self.previous_controlnet.get_control(x_noisy, t, cond, batched_number, transformer_options)
        if self.timestep_range is not None and (t[0] > self.timestep_range[0] or t[0] < self.timestep_range[1]):
            return previous
        self.asked.append(float(t[0]))
        size = (x_noisy.shape[-2] // 2, x_noisy.shape[-1] // 2)
        hint = comfy.utils.common_upscale(self.cond_hint_original, size[1], size[0], "bilinear", "center")
        level = hint.mean(dim=1, keepdim=True).to(x_noisy) * self.weights[0]
        level = level.expand(x_noisy.shape[0], 64, -1, -1)
        return self.control_merge({"middle": [level], "output": []}, previous, output_dtype=x_noisy.dtype)

    def copy(self):
        c = Brightness(self.weights)
        self.copy_to(c)
        c.asked = self.asked
        return c


class LoadBrightness:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"weight": ("FLOAT", {"default": 1.0})}}

    RETURN_TYPES = ("CONTROL_NET",)
    FUNCTION = "load"
    CATEGORY = "mini"

    def load(self, weight):
        return (Brightness([weight]),)


class CountAsked:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"control_net": ("CONTROL_NET",), "after": ("LATENT",)}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "count"
    CATEGORY = "mini"

    def count(self, control_net, after):
        return (len(control_net.asked),)


NODE_CLASS_MAPPINGS = {"MiniLoadBrightness": LoadBrightness, "MiniCountAsked": CountAsked}
