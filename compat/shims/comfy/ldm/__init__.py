"""ComfyUI's networks, by the modules they are in there. Ours wear these classes as soon as a plugin sees them.

Families this program has no network of are here by name, so that plugins can ask whether a model is one of them.
"""
