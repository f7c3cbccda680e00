"""An image adapter as authors write them: attention replaced at every block of a clone, by its model_options."""

import comfy.model_management
import torch
from comfy.ldm.modules.attention import optimized_attention


class Attend:
    """Adds what the picture says to each cross attention, between two sigmas, to the wanted chunks only."""

    def __init__(self, tokens, weight, sigma_start, sigma_end):
        self.tokens, self.weight = tokens, weight
        self.sigma_start, self.sigma_end = sigma_start, sigma_end
        self.calls = 0

    def __call__(self, q, k, v, extra_options):
        out = optimized_attention(q, k, v, extra_options["n_heads"])
        sigma = extra_options["sigmas"].detach().cpu()[0].item() if "sigmas" in extra_options else 999999999.9
        if not self.sigma_end <= sigma <= self.sigma_start:
            return out
        chunks = extra_options["cond_or_uncond"]
        batch = q.shape[0] // len(chunks)
        tokens = self.tokens.to(q).expand(batch, -1, -1)
        wide = torch.nn.functional.interpolate(tokens, size=q.shape[-1])
        keys = torch.cat([wide if chunk == 0 else torch.zeros_like(wide) for chunk in chunks])
        self.calls += 1
        return out + optimized_attention(q, keys, keys, extra_options["n_heads"]) * self.weight


def patch(model, patch_kwargs, key):
    to = model.model_options["transformer_options"].copy()
    to["patches_replace"] = to.get("patches_replace", {}).copy()
    to["patches_replace"]["attn2"] = to["patches_replace"].get("attn2", {}).copy()
    to["patches_replace"]["attn2"][key] = Attend(**patch_kwargs)
    model.model_options["transformer_options"] = to


class ApplyPicture:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "model": ("MODEL",),
                "image": ("IMAGE",),
                "weight": ("FLOAT", {"default": 1.0, "min": -1, "max": 3, "step": 0.05}),
                "start_at": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0}),
                "end_at": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0}),
            }
        }

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "apply"
    CATEGORY = "mini"

    def apply(self, model, image, weight, start_at, end_at):
        work = model.clone()
        sampling = work.get_model_object("model_sampling")
        kwargs = {
            "tokens": image[:1].mean(dim=1).to(comfy.model_management.intermediate_device()),
            "weight": weight,
            "sigma_start": sampling.percent_to_sigma(start_at),
            "sigma_end": sampling.percent_to_sigma(end_at),
        }
        for id in range(12):
            patch(work, kwargs, ("input", id))
            patch(work, kwargs, ("output", id))
        patch(work, kwargs, ("middle", 0))
        return (work,)


NODE_CLASS_MAPPINGS = {"MiniApplyPicture": ApplyPicture}
