"""ComfyUI's Flux: its mathematics. This program has no network of that kind."""
