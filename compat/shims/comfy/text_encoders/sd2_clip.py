"""Where newer plugins look for comfy.sd2_clip."""

from comfy.sd2_clip import SD2ClipHModel, SD2ClipHTokenizer, SD2ClipModel, SD2Tokenizer

__all__ = ["SD2ClipHModel", "SD2ClipHTokenizer", "SD2ClipModel", "SD2Tokenizer"]
