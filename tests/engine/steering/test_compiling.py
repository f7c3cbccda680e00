"""A compiled network answers as before, is compiled once, and says why where it cannot be."""

import pytest
import torch
from torch import nn

from engine.errors import SamplingError
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.steering.compiling import Compiler, compiling
from tests.engine.models.nets import randomised

SMALL = UNetConfig(
    model_channels=32,
    channel_multipliers=(1,),
    res_blocks=(1,),
    input_depths=(1,),
    output_depths=(1, 1),
    context_width=8,
    heads=4,
)
INPUTS = (torch.randn(1, 4, 8, 8), torch.tensor([3.0]), torch.randn(1, 5, 8))


def stop() -> None:
    raise AssertionError("nobody stops a compiled network")


def test_a_compiled_network_answers_as_before_with_patches_too() -> None:
    net = randomised(UNet(SMALL))
    asked = Compiler("eager")(net)
    patches = {"patches": {"middle_patch": [lambda x, extra: x * 0.9]}, "sigmas": torch.ones(1), "cond_or_uncond": [0]}
    with torch.no_grad():
        torch.testing.assert_close(asked(*INPUTS, cancelled=stop), net(*INPUTS))
        made = asked(*INPUTS, patches=patches, cancelled=stop)
        torch.testing.assert_close(made, net(*INPUTS, patches=patches))
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_inductor_answers_as_before() -> None:
    net = randomised(UNet(SMALL))
    with torch.no_grad():
        torch.testing.assert_close(Compiler("inductor")(net)(*INPUTS), net(*INPUTS), rtol=1e-4, atol=1e-4)
    torch.compiler.reset()


def test_a_network_is_compiled_once_and_a_function_never() -> None:
    made = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> object:
        made.append(graph)
        return graph

    compiler = Compiler(backend)  # type: ignore[arg-type] # torch takes functions as well as names
    net = nn.Linear(2, 2)
    for _ in range(3):
        compiler(net)(torch.ones(1, 2))
    assert len(made) == 1
    assert compiler(stop) is stop
    torch.compiler.reset()


def test_where_it_cannot_be_compiled_the_user_is_told_what_to_do() -> None:
    def backend(graph: object, inputs: object) -> object:
        raise RuntimeError("no compiler found\nlong text")

    asked = Compiler(backend)(nn.Linear(2, 2))  # type: ignore[arg-type]
    with pytest.raises(SamplingError, match=r"torch.compile cannot compile .*no compiler found.*Leave out"):
        asked(torch.ones(1, 2))
    torch.compiler.reset()
    with pytest.raises(SamplingError, match="backend 'cudagraphs' records the work of CUDA devices"):
        compiling("cudagraphs", torch.device("cpu"))
