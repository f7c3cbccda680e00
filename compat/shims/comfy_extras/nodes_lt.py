"""ComfyUI's nodes for LTX video models, not offered here: names that say so when used."""

from compat.core_nodes.absent import absent_function
from compat.missing import absent_class

LTXVAddGuide = absent_class(__name__, "LTXVAddGuide", object)
LTXVCropGuides = absent_class(__name__, "LTXVCropGuides", object)
LTXVPreprocess = absent_class(__name__, "LTXVPreprocess", object)
LTXVImgToVideo = absent_class(__name__, "LTXVImgToVideo", object)
EmptyLTXVLatentVideo = absent_class(__name__, "EmptyLTXVLatentVideo", object)
SymmetricPatchifier = absent_class(__name__, "SymmetricPatchifier", object)
get_noise_mask = absent_function(__name__, "get_noise_mask", "LTX video models")
get_keyframe_idxs = absent_function(__name__, "get_keyframe_idxs", "LTX video models")
_append_guide_attention_entry = absent_function(__name__, "_append_guide_attention_entry", "LTX video models")
