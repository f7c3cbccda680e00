"""ComfyUI's autoencoders."""
