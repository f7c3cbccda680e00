"""Where older plugins look for comfy.text_encoders.sd3_clip."""

from comfy.text_encoders.sd3_clip import SD3ClipModel, SD3Tokenizer, T5XXLModel, T5XXLTokenizer, t5_xxl_detect

__all__ = ["SD3ClipModel", "SD3Tokenizer", "T5XXLModel", "T5XXLTokenizer", "t5_xxl_detect"]
