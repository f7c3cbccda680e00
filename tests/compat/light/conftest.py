"""What tests of the core nodes' classes share."""

import pytest

from compat.host import Host


@pytest.fixture
def nodes(host: Host):
    import nodes

    return nodes


@pytest.fixture
def parts(nodes, host: Host):
    """MODEL, CLIP and VAE as a plugin gets them."""
    return nodes.CheckpointLoaderSimple().load_checkpoint("tiny.safetensors")


@pytest.fixture
def loaded(host: Host):
    """The same checkpoint as our own values."""
    return host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors"))
