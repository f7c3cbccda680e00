"""comfy-script: makes a Python function of every node in /object_info, and follows the run with its previews."""

import sys
from pathlib import Path

from comfy_script.runtime import Workflow, load, util

address, folder, seed = sys.argv[1], Path(sys.argv[3]), int(sys.argv[4])
load(address + "/")
from comfy_script.runtime.nodes import *  # noqa: E402, F403 -- they exist once the server was asked

with Workflow(wait=True):
    model, clip, vae = CheckpointLoaderSimple("latentwire_icons.safetensors")  # noqa: F405
    wanted, unwanted = CLIPTextEncode("blue heart, 3d render", clip), CLIPTextEncode("", clip)  # noqa: F405
    latent = EmptyLatentImage(128, 128, 1)  # noqa: F405
    latent = KSampler(model, seed, 3, 4.0, "euler", "normal", wanted, unwanted, latent, 1.0)  # noqa: F405
    pictures = util.get_images(VAEDecode(latent, vae), save=True)  # noqa: F405
for number, picture in enumerate(pictures):
    picture.save(folder / f"{number}.png", pnginfo=None)
