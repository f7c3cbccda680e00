"""ComfyUI's nodes for models of turning cameras, not offered here: names that say so when used."""

from compat.core_nodes.absent import absent_function

camera_embeddings = absent_function(__name__, "camera_embeddings", "models of turning cameras")
