"""What ComfyUI's ModelPatcher is made of, one file per concern; comfy/model_patcher.py joins them."""
