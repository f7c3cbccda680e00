"""Frames as authors show them: a route, previews by a decorated get_previewer, a kind of files of its own."""

import os
import time

import comfy.utils
import folder_paths
import latent_preview
from aiohttp import web

import server

NAMES = ("mp4", "webm")
folder_paths.folder_names_and_paths["MINI_formats"] = (
    [os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats")],
    [".json"],
)
serv = server.PromptServer.instance
seen = []


class WrappedPreviewer(latent_preview.LatentPreviewer):
    def __init__(self, previewer, rate=8):
        self.first_preview, self.last_time, self.c_index, self.rate = True, 0, 0, rate
        if hasattr(previewer, "taesd"):
            self.taesd = previewer.taesd
        elif hasattr(previewer, "latent_rgb_factors"):
            self.latent_rgb_factors = previewer.latent_rgb_factors
            self.latent_rgb_factors_bias = previewer.latent_rgb_factors_bias
        self.inner = previewer

    def decode_latent_to_preview_image(self, preview_format, x0):
        if self.first_preview:
            self.first_preview = False
            serv.send_sync("MINI_latentpreview", {"length": x0.size(0), "rate": self.rate, "id": serv.last_node_id})
            self.last_time = time.time()
        seen.append(tuple(x0.shape))
        return self.inner.decode_latent_to_preview_image(preview_format, x0[:1])


def hook(obj, attr):
    def decorate(f):
        f = f(getattr(obj, attr))
        setattr(obj, attr, f)
        return f

    return decorate


@hook(latent_preview, "get_previewer")
def decorate_previewer(get_previewer):
    def wrapped(device, latent_format, *args, **kwargs):
        previewer = get_previewer(device, latent_format, *args, **kwargs)
        if not hasattr(previewer, "decode_latent_to_preview"):
            return previewer
        return WrappedPreviewer(previewer)

    wrapped.inner = get_previewer
    return wrapped


@server.PromptServer.instance.routes.get("/mini/view")
async def view(request):
    if "filename" not in request.query:
        return web.Response(status=404)
    return web.json_response({"path": folder_paths.get_annotated_filepath(request.query["filename"])})


class CombineFrames:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "images": ("IMAGE",),
                "frame_rate": ("FLOAT", {"default": 8, "min": 1, "step": 1}),
                "filename_prefix": ("STRING", {"default": "Mini"}),
                "format": (list(NAMES), {"formats": {"mp4": [["crf", "INT", {"default": 19}]]}}),
            },
            "hidden": {"prompt": "PROMPT", "unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = ("MINI_FILENAMES",)
    OUTPUT_NODE = True
    FUNCTION = "combine"
    CATEGORY = "mini"

    def combine(self, images, frame_rate, filename_prefix, format, prompt=None, unique_id=None):
        bar = comfy.utils.ProgressBar(len(images))
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_temp_directory()
        )
        path = os.path.join(folder, f"{name}_{counter:05}.{format}")
        with open(path, "wb") as file:
            for image in images:
                file.write((image * 255).byte().numpy().tobytes())
                bar.update(1)
        shown = {"filename": os.path.basename(path), "subfolder": subfolder, "type": "temp", "frame_rate": frame_rate}
        return {"ui": {"gifs": [shown]}, "result": ((True, [path]),)}


NODE_CLASS_MAPPINGS = {"MiniCombineFrames": CombineFrames}
