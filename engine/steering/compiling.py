"""Networks compiled for the machine: the same answers, after a wait at the first of them."""

from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import SamplingError
from engine.sampling.hooks import Hooks, Network


def compiling(backend: str, device: torch.device) -> Hooks:
    """Has a network compiled by this backend of torch.compile when it is first asked.

    Raises: SamplingError, where the backend cannot be on this device.
    """
    if backend == "cudagraphs" and device.type != "cuda":
        raise SamplingError(
            f"backend {backend!r} records the work of CUDA devices, but this model runs on {device.type}; choose "
            "'inductor', or leave the node out"
        )
    return Hooks(network=Compiler(backend))


class Compiler:
    """Compiles networks, each once."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self._made: dict[nn.Module, Network] = {}

    def __call__(self, network: Network) -> Network:
        """The compiled network; a plain function stays as it is."""
        if not isinstance(network, nn.Module):
            return network
        from torch._dynamo.exc import TorchDynamoException  # slow to import, and one node's affair

        if network not in self._made:
            self._made[network] = torch.compile(network, backend=self.backend)
        made = self._made[network]

        def asked(*args: Any, cancelled: object = None, **others: Any) -> Tensor:
            # Nobody can stop between the layers of what has become one; whoever asks looks before.
            try:
                answer: Tensor = made(*args, **others)
            except TorchDynamoException as error:
                raise SamplingError(
                    f"torch.compile cannot compile this model with backend {self.backend!r} here ({_reason(error)}); "
                    "it needs a C++ compiler on a CPU and Triton on a GPU. Leave out TorchCompileModel: the pictures "
                    "are the same"
                ) from error
            return answer

        return asked


def _reason(error: BaseException) -> str:
    """What the compiler itself said, in one line; the rest is for those who write compilers."""
    inner = getattr(error, "inner_exception", None) or error
    return f"{type(inner).__name__}: {str(inner).strip().partition(chr(10))[0]}"
