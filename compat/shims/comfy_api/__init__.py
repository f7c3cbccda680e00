"""ComfyUI's typed interface for authors of nodes ("V3"); `latest` is what plugins import."""
