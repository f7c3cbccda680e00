from compat.crossing import enter, leave
from compat.host import Host
from compat.host import host as current
from engine.graph.run import Run


def test_the_installed_host_is_the_one_modules_find(host: Host) -> None:
    assert current() is host


def test_progress_belongs_to_the_node_that_runs(host: Host) -> None:
    first, second = Run("1", lambda event: None), Run("2", lambda event: None)
    assert host.run is None
    with host.node(first):
        with host.node(second):
            assert host.run is second
        assert host.run is first
    assert host.run is None


def test_plain_values_cross_the_border_as_they_are() -> None:
    latent = {"samples": [1, 2]}
    assert enter(latent) is latent
    assert leave(latent) is latent
