"""The node of hypernetworks; what nets do is tested with engine/adapters."""

import torch

from tests.nodes.bench import Bench, Drawing, close
from tests.nodes.conftest import CONTEXT


def test_a_hypernetwork_changes_the_picture_by_its_strength_and_a_wrong_file_is_named(bench: Bench) -> None:
    folder = bench.folders.base / "models" / "hypernetworks"
    folder.mkdir(parents=True)
    net = {"linear.0.weight": 0.5 * torch.eye(CONTEXT), "linear.0.bias": torch.ones(CONTEXT)}
    torch.save({CONTEXT: (net, net)}, folder / "style.pt")
    torch.save({768: (net, net)}, folder / "wide.pt")
    drawing = Drawing()

    def drawn(strength: float) -> torch.Tensor:
        node = drawing.graph.node(
            "HypernetworkLoader", model=drawing.model, hypernetwork_name="style.pt", strength=strength
        )
        return bench.value(drawing.graph, drawing.sampled(model=node, steps=1))["samples"]

    plain = bench.value(drawing.graph, drawing.sampled(steps=1))["samples"]
    assert close(drawn(0.0), plain, 1e-4)
    assert not close(drawn(1.0), plain, 1e-2)
    wrong = drawing.graph.node("HypernetworkLoader", model=drawing.model, hypernetwork_name="wide.pt", strength=1.0)
    message = bench.message(drawing.graph, wrong)
    assert message.startswith("HypernetworkLoader: input hypernetwork_name: wide.pt: 768, keys")
