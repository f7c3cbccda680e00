"""ComfyUI's networks, by the modules they are in there. Ours wear these classes as soon as a plugin sees them."""
