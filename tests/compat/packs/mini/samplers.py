"""Sampling as authors write it: a KSampler with more to it, a sampler of their own, a schedule, a guider."""

import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from comfy.k_diffusion.sampling import to_d

from nodes import MAX_RESOLUTION, KSampler, PreviewImage, VAEDecode, common_ksampler


class KSamplerAndDecode(KSampler):
    @classmethod
    def INPUT_TYPES(cls):
        types = super().INPUT_TYPES()
        types["required"]["vae"] = ("VAE",)
        types["hidden"] = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "my_unique_id": "UNIQUE_ID"}
        types["optional"] = {"tiles": ("INT", {"default": 1, "max": MAX_RESOLUTION})}
        return types

    RETURN_TYPES = ("MODEL", "LATENT", "IMAGE")
    OUTPUT_NODE = True
    FUNCTION = "go"
    CATEGORY = "mini"

    def go(self, vae, tiles=1, prompt=None, extra_pnginfo=None, my_unique_id=None, **inputs):
        (latent,) = self.sample(**inputs)
        (images,) = VAEDecode().decode(vae, latent)
        shown = PreviewImage().save_images(images, prompt=prompt, extra_pnginfo=extra_pnginfo)["ui"]
        return {"ui": {**shown, "id": [my_unique_id]}, "result": (inputs["model"], latent, images)}


def sample_halves(model, x, sigmas, extra_args=None, callback=None, disable=None, share=0.5):
    """Two steps of Euler for each of the schedule's."""
    extra_args = {} if extra_args is None else extra_args
    s_in = x.new_ones([x.shape[0]])
    for i in range(len(sigmas) - 1):
        middle = sigmas[i] * (1 - share) + sigmas[i + 1] * share
        for sigma, after in ((sigmas[i], middle), (middle, sigmas[i + 1])):
            if sigma == after:
                continue
            denoised = model(x, sigma * s_in, **extra_args)
            x = x + to_d(x, sigma, denoised) * (after - sigma)
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
    return x


class SamplerHalves:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"share": ("FLOAT", {"default": 0.5})}}

    RETURN_TYPES = ("SAMPLER",)
    FUNCTION = "get_sampler"
    CATEGORY = "mini"

    def get_sampler(self, share):
        return (comfy.samplers.KSAMPLER(sample_halves, {"share": share}),)


class Guider_Middle(comfy.samplers.CFGGuider):
    def set_conds(self, positive, middle, negative):
        self.inner_set_conds({"positive": positive, "middle": middle, "negative": negative})

    def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 -- as authors write it
        conds = [self.conds.get(name) for name in ("negative", "middle", "positive")]
        out = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, model_options)
        return comfy.samplers.cfg_function(
            self.inner_model, (out[1] + out[2]) / 2, out[0], self.cfg, x, timestep, model_options=model_options
        )


class SampleCustom:
    """Draws with a SAMPLER value and a guider of its own, as SamplerCustomAdvanced does."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "model": ("MODEL",),
                "positive": ("CONDITIONING",),
                "middle": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "sampler": ("SAMPLER",),
                "scheduler": (comfy.samplers.SCHEDULER_NAMES + ["mini"],),  # noqa: RUF005 -- as authors write it
                "latent_image": ("LATENT",),
            }
        }

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "sample"
    CATEGORY = "mini"

    def sample(self, model, positive, middle, negative, sampler, scheduler, latent_image):
        steps = 3
        name = "normal" if scheduler == "mini" else scheduler
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), name, steps)
        latent = comfy.sample.fix_empty_latent_channels(model, latent_image["samples"])
        noise = comfy.sample.prepare_noise(latent, 7, latent_image.get("batch_index"))
        guider = Guider_Middle(model)
        guider.set_conds(positive, middle, negative)
        guider.set_cfg(2.5)
        x0 = {}
        callback = latent_preview.prepare_callback(model, sigmas.shape[-1] - 1, x0)
        samples = guider.sample(noise, latent, sampler, sigmas, callback=callback, disable_pbar=True, seed=7)
        out = latent_image.copy()
        out["samples"] = samples.to(torch.float32)
        assert x0["x0"].shape == samples.shape
        return (out,)


class Detailer:
    """Draws a part again: cut, enlarged, encoded, drawn, decoded, pasted."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "image": ("IMAGE",),
                "model": ("MODEL",),
                "vae": ("VAE",),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
                "denoise": ("FLOAT", {"default": 0.5}),
            },
            "optional": {"detailer_hook": ("DETAILER_HOOK",)},
        }

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "doit"
    CATEGORY = "mini"

    def doit(self, image, model, vae, positive, negative, sampler_name, scheduler, denoise, detailer_hook=None):
        import nodes

        x1, y1, side = 16, 8, 32
        (part,) = nodes.ImageScale().upscale(image[:, y1 : y1 + side, x1 : x1 + side], "lanczos", 64, 64, "disabled")
        latent = nodes.VAEEncode().encode(vae, part)[0]
        latent["noise_mask"] = torch.ones(1, 1, 64, 64)
        drawn = common_ksampler(model, 5, 3, 4.0, sampler_name, scheduler, positive, negative, latent, denoise=denoise)[
            0
        ]
        drawn = nodes.NODE_CLASS_MAPPINGS["VAEDecode"]().decode(samples=drawn, vae=vae)[0]
        small = comfy.utils.common_upscale(drawn.movedim(-1, 1), side, side, "bilinear", "center").movedim(1, -1)
        out = image.clone()
        out[:, y1 : y1 + side, x1 : x1 + side] = small
        return (out,)


NODE_CLASS_MAPPINGS = {
    "MiniKSamplerAndDecode": KSamplerAndDecode,
    "MiniSamplerHalves": SamplerHalves,
    "MiniSampleCustom": SampleCustom,
    "MiniDetailer": Detailer,
}
