"""Other programs' LoRA files in the names that `load_lora` knows."""

from collections.abc import Mapping

from torch import Tensor

FUN = "lora_unet__"


def convert_lora(sd: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a LoRA file, with names of their own trainers' changed to the usual ones."""
    if any(name.startswith(FUN) for name in sd):
        return {("lora_unet_" + name[len(FUN) :] if name.startswith(FUN) else name): x for name, x in sd.items()}
    return dict(sd)
