"""A folder of V1 nodes as an author would put it into custom_nodes, using everything the V1 contract offers."""

from .callings import MAPPINGS as CALLINGS
from .graphs import MAPPINGS as GRAPHS
from .hooks import MAPPINGS as HOOKS
from .shapes import MAPPINGS as SHAPES

NODE_CLASS_MAPPINGS = {**SHAPES, **CALLINGS, **HOOKS, **GRAPHS}
NODE_DISPLAY_NAME_MAPPINGS = {"V1Everything": "Everything at once"}
__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
