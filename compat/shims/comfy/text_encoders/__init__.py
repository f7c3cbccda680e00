"""ComfyUI keeps one module per kind here."""
