"""ComfyUI's core node classes as a library for plugins, over our own nodes."""
