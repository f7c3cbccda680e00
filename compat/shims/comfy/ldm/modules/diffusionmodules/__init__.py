"""ComfyUI's UNet and its kin."""
