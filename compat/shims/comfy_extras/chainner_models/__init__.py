"""ComfyUI's old place for upscalers."""
