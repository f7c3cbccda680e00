"""A loader of packed weights as authors write them: layers that unpack when they are used, and a patcher that knows."""

import comfy.lora
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.utils
import folder_paths
import torch


class Packed(torch.Tensor):
    """A weight in eight bits with a scale."""

    @staticmethod
    def pack(weight):
        scale = weight.abs().max().float() / 127
        packed = torch.Tensor._make_subclass(Packed, (weight.float() / scale).round(), False)
        packed.scale = scale
        return packed

    def unpacked(self, dtype):
        return (self.as_subclass(torch.Tensor) * self.scale).to(dtype)


class Ops(comfy.ops.manual_cast):
    """Layers whose weights arrive packed."""

    unpacked = 0

    class Linear(comfy.ops.manual_cast.Linear):
        comfy_cast_weights = True

        def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
            self.weight = torch.nn.Parameter(state_dict[prefix + "weight"].clone(), requires_grad=False)
            self.packed = Packed.pack(state_dict[prefix + "weight"])
            if prefix + "bias" in state_dict:
                self.bias = torch.nn.Parameter(state_dict[prefix + "bias"].clone(), requires_grad=False)

        def forward_comfy_cast_weights(self, input):
            Ops.unpacked += 1
            weight = self.packed.unpacked(input.dtype)
            bias = None if self.bias is None else comfy.ops.cast_to(self.bias, input.dtype, input.device)
            return torch.nn.functional.linear(input, weight, bias)


class PackedPatcher(comfy.model_patcher.ModelPatcher):
    patch_on_device = False

    def clone(self, *args, **kwargs):
        own = self.__class__  # may be a plain patcher that becomes one of these
        self.__class__ = PackedPatcher
        n = super().clone(*args, **kwargs)
        n.__class__ = PackedPatcher
        self.__class__ = own
        n.patch_on_device = getattr(self, "patch_on_device", False)
        return n


class LoadPacked:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"name": (folder_paths.get_filename_list("checkpoints"),)}}

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "load"
    CATEGORY = "mini"

    def load(self, name):
        sd = comfy.utils.load_torch_file(folder_paths.get_full_path("checkpoints", name))
        sd = comfy.utils.state_dict_prefix_replace(sd, {"model.diffusion_model.": ""}, filter_keys=True)
        model = comfy.sd.load_diffusion_model_state_dict(sd, model_options={"custom_operations": Ops})
        if model is None:
            raise RuntimeError(f"could not tell the family of {name}")
        model = PackedPatcher.clone(model)
        model.patch_on_device = True
        return (model,)


NODE_CLASS_MAPPINGS = {"MiniLoadPacked": LoadPacked}
