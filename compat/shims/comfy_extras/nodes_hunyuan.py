"""ComfyUI's nodes for Hunyuan video models, not offered here: names that say so when used."""

from compat.missing import absent_class

LatentUpscaleModelLoader = absent_class(__name__, "LatentUpscaleModelLoader", object)
EmptyHunyuanLatentVideo = absent_class(__name__, "EmptyHunyuanLatentVideo", object)
