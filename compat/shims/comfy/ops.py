"""ComfyUI's layer classes: PyTorch's, without random weights at the start, and perhaps cast while they compute.

`disable_weight_init` and `manual_cast` are namespaces that plugins pass to networks as `operations` and inherit from.
A layer whose `comfy_cast_weights` is true brings its weights to the input's device and format on every call, and then
through the functions in `weight_function` and `bias_function`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from comfy.rmsnorm import rms_norm
from compat.missing import missing

Change = Callable[[Tensor], Tensor]


def cast_to(
    weight: Tensor | None,
    dtype: torch.dtype | None = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    stream: Any = None,
) -> Tensor | None:
    """A tensor in another format and place."""
    if weight is None:
        return None
    return weight.to(device=device, dtype=dtype, non_blocking=non_blocking, copy=copy)


def cast_to_input(weight: Tensor | None, input: Tensor, non_blocking: bool = False, copy: bool = True) -> Tensor | None:
    """A tensor in the format and place of another."""
    return cast_to(weight, input.dtype, input.device, non_blocking=non_blocking, copy=copy)


def cast_bias_weight(
    s: Any,
    input: Tensor | None = None,
    dtype: torch.dtype | None = None,
    device: Any = None,
    bias_dtype: torch.dtype | None = None,
    **kwargs: Any,
) -> tuple[Any, Any]:
    """A layer's weight and bias as a call needs them, its functions applied.

    Returns: weight, bias (None where the layer has none).
    """
    if input is not None:
        dtype, device = dtype or input.dtype, input.device if device is None else device
    weight = cast_to(getattr(s, "weight", None), dtype, device)
    bias = cast_to(getattr(s, "bias", None), bias_dtype or dtype, device)
    for change in s.weight_function:
        weight = change(weight)
    for change in s.bias_function if bias is not None else ():
        bias = change(bias)
    return weight, bias


def uncast_bias_weight(s: Any, weight: Any, bias: Any, offload_stream: Any = None) -> None:
    """After a call with cast weights: nothing has to be given back, as they are no buffers of ours."""


class CastWeightBiasOp:
    """A layer that may cast its weights when it is called."""

    comfy_cast_weights = False
    weight_function: list[Change] = []
    bias_function: list[Change] = []


class _Layer(CastWeightBiasOp):
    """What all layers here share: no random weights, and the choice between two forwards."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.weight_function = []
        self.bias_function = []

    def reset_parameters(self) -> None:
        """Nothing: weights come from a file."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self.comfy_cast_weights or self.weight_function or self.bias_function:
            return self.forward_comfy_cast_weights(*args, **kwargs)
        return super().forward(*args, **kwargs)  # type: ignore[misc]

    def forward_comfy_cast_weights(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's work with weights cast for this input."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it computes with cast weights")


def _sizes(padding: Any) -> Any:
    """A layer's padding, which the types of PyTorch also allow to be a word."""
    return padding


def _output_padding(layer: Any, input: Tensor, output_size: Any, axes: int) -> list[int]:
    """What is added at the border so that the output has the size asked for."""
    padding: list[int] = layer._output_padding(
        input, output_size, layer.stride, layer.padding, layer.kernel_size, axes, layer.dilation
    )
    return padding


class disable_weight_init:
    """PyTorch's layers without random weights at the start."""

    class Linear(_Layer, nn.Linear):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            return functional.linear(input, weight, bias)

    class Conv1d(_Layer, nn.Conv1d):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            return self._conv_forward(input, weight, bias)

    class Conv2d(_Layer, nn.Conv2d):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            return self._conv_forward(input, weight, bias)

    class Conv3d(_Layer, nn.Conv3d):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            return self._conv_forward(input, weight, bias)

    class GroupNorm(_Layer, nn.GroupNorm):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            return functional.group_norm(input, self.num_groups, weight, bias, self.eps)

    class LayerNorm(_Layer, nn.LayerNorm):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input) if self.weight is not None else (None, None)
            return functional.layer_norm(input, self.normalized_shape, weight, bias, self.eps)

    class RMSNorm(_Layer, nn.RMSNorm):
        def __init__(
            self,
            normalized_shape: Any,
            eps: float = 1e-6,
            elementwise_affine: bool = True,
            device: Any = None,
            dtype: Any = None,
        ) -> None:
            super().__init__(normalized_shape, eps, elementwise_affine, device=device, dtype=dtype)
            self.bias = None

        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight = cast_bias_weight(self, input)[0] if self.weight is not None else None
            return rms_norm(input, weight, self.eps or 1e-6)

    class ConvTranspose1d(_Layer, nn.ConvTranspose1d):
        def forward_comfy_cast_weights(self, input: Tensor, output_size: Any = None) -> Tensor:
            padding = _output_padding(self, input, output_size, 1)
            weight, bias = cast_bias_weight(self, input)
            return functional.conv_transpose1d(
                input, weight, bias, self.stride, _sizes(self.padding), padding, self.groups, self.dilation
            )

    class ConvTranspose2d(_Layer, nn.ConvTranspose2d):
        def forward_comfy_cast_weights(self, input: Tensor, output_size: Any = None) -> Tensor:
            padding = _output_padding(self, input, output_size, 2)
            weight, bias = cast_bias_weight(self, input)
            return functional.conv_transpose2d(
                input, weight, bias, self.stride, _sizes(self.padding), padding, self.groups, self.dilation
            )

    class Embedding(_Layer, nn.Embedding):
        bias = None

        def forward(self, input: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
            if self.comfy_cast_weights or self.weight_function:
                return self.forward_comfy_cast_weights(input, out_dtype)
            found = nn.Embedding.forward(self, input)
            return found if out_dtype is None else found.to(out_dtype)

        def forward_comfy_cast_weights(self, input: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
            kept = self.weight.dtype
            weight, _ = cast_bias_weight(
                self, dtype=kept if kept in (torch.float16, torch.bfloat16) else out_dtype, device=input.device
            )
            found = functional.embedding(
                input, weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
            )
            return found if out_dtype is None else found.to(out_dtype)

    @classmethod
    def conv_nd(cls, dims: int, *args: Any, **kwargs: Any) -> Any:
        """A convolution over that many axes."""
        if dims == 2:
            return cls.Conv2d(*args, **kwargs)
        if dims == 3:
            return cls.Conv3d(*args, **kwargs)
        raise ValueError(f"unsupported dimensions: {dims}; expected 2 or 3")


class manual_cast(disable_weight_init):
    """The same layers, casting their weights to the input's device and format whenever they are called."""

    class Linear(disable_weight_init.Linear):
        comfy_cast_weights = True

    class Conv1d(disable_weight_init.Conv1d):
        comfy_cast_weights = True

    class Conv2d(disable_weight_init.Conv2d):
        comfy_cast_weights = True

    class Conv3d(disable_weight_init.Conv3d):
        comfy_cast_weights = True

    class GroupNorm(disable_weight_init.GroupNorm):
        comfy_cast_weights = True

    class LayerNorm(disable_weight_init.LayerNorm):
        comfy_cast_weights = True

    class RMSNorm(disable_weight_init.RMSNorm):
        comfy_cast_weights = True

    class ConvTranspose1d(disable_weight_init.ConvTranspose1d):
        comfy_cast_weights = True

    class ConvTranspose2d(disable_weight_init.ConvTranspose2d):
        comfy_cast_weights = True

    class Embedding(disable_weight_init.Embedding):
        comfy_cast_weights = True


def pick_operations(
    weight_dtype: torch.dtype | None,
    compute_dtype: torch.dtype | None,
    load_device: Any = None,
    disable_fast_fp8: bool = False,
    fp8_optimizations: bool = False,
    scaled_fp8: torch.dtype | None = None,
    **kwargs: Any,
) -> type[disable_weight_init]:
    """The layers for weights kept in one format and computed in another."""
    if compute_dtype is None or weight_dtype == compute_dtype:
        return disable_weight_init
    return manual_cast


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
