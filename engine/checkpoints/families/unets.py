"""What files with a UNet are told apart by. Source: node_behaviour.md A.3 and A.4.

Sizes are left open where names and axes are enough, so that a miniature in the same layout is of the family too.
"""

from engine.checkpoints.family import Axes, Condition, HasAny, Lacks, Size

UNET = HasAny(("input_blocks.0.0.weight",), "a UNet")
TEXT = HasAny(("*.attn2.to_k.weight",), "attention to a text")
OUTPUT = HasAny(("out.2.weight",), "an output layer")
LINEAR = Axes("*1.proj_in.weight", 2, "linear layers around its transformers")
CONVOLUTIONS = Axes("*1.proj_in.weight", 4, "convolutions around its transformers")
NO_CLASSES = Lacks("label_emb.0.0.weight", "class embedding")
NO_TIME = Lacks("*time_stack.0.attn1.to_q.weight", "attention over time")
OVER_TIME = HasAny(("*time_stack.0.attn1.to_q.weight", "*time_mix_blocks.0.attn1.to_q.weight"), "attention over time")


def classes(*widths: int) -> Condition:
    """It reads a vector of one of these widths besides the text."""
    return Size("label_emb.0.0.weight", 1, widths, "a class width of")


def channels(*counts: int) -> Condition:
    """It is shown so many channels."""
    return Size("input_blocks.0.0.weight", 1, counts, "input channels:")
