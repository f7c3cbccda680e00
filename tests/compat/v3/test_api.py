import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import torch
from PIL import Image

from compat.host import Host
from engine.errors import Cancelled, LatentwireError, NodeTypeError
from engine.graph.events import Preview, Progress
from engine.graph.run import Run


def test_progress_is_told_without_await_too(host: Host) -> None:
    from comfy_api.latest import ComfyAPISync

    events: list[Any] = []
    with host.node(Run("4", events.append)):
        ComfyAPISync().execution.set_progress(1, 4)
        ComfyAPISync().execution.set_progress(2, 4, node_id="9")
    assert events == [Progress("4", 1, 4), Progress("9", 2, 4)]


def test_a_preview_is_as_small_as_the_user_wants_unless_the_author_insists(host: Host) -> None:
    from comfy_api.latest import ComfyAPI

    def shown(preview: Any, **options: Any) -> tuple[int, int]:
        events: list[Any] = []
        with host.node(Run("4", events.append)):
            asyncio.run(ComfyAPI().execution.set_progress(1, 4, preview_image=preview, **options))
        preview, progress = events
        assert isinstance(preview, Preview)
        assert isinstance(progress, Progress)
        return Image.open(BytesIO(preview.data)).size

    size = host.settings.preview_size
    assert shown(Image.new("RGB", (2 * size, size))) == (size, size // 2)
    assert shown(torch.zeros(1, 8, 2 * size, 3), ignore_size_limit=True) == (2 * size, 8)
    assert shown(torch.zeros(8, 4, 3)) == (4, 8)


def test_progress_stops_a_node_whose_run_was_cancelled(host: Host) -> None:
    from comfy_api.latest import ComfyAPISync

    with host.node(Run("4", lambda event: None, lambda: True)), pytest.raises(Cancelled):
        ComfyAPISync().execution.set_progress(1, 4)


def test_progress_of_no_node_is_refused(host: Host) -> None:
    from comfy_api.latest import ComfyAPISync

    with pytest.raises(LatentwireError, match="none does; call it inside execute"):
        ComfyAPISync().execution.set_progress(1, 4)


def test_versions_are_the_same_under_other_numbers(host: Host) -> None:
    from comfy_api import latest, v0_0_1, v0_0_2

    assert (v0_0_2.io, v0_0_2.ui, v0_0_2.ComfyExtension) == (latest.io, latest.ui, latest.ComfyExtension)
    assert latest.comfy_io is latest.io
    assert not hasattr(v0_0_2, "comfy_io")
    assert not hasattr(v0_0_1, "io")
    versions = [(each.ComfyAPI.VERSION, each.ComfyAPISync.STABLE) for each in (latest, v0_0_2, v0_0_1)]
    assert versions == [("latest", False), ("0.0.2", False), ("0.0.1", True)]
    assert issubclass(v0_0_2.ComfyAPI, latest.ComfyAPI)


def test_features_are_looked_up_by_dotted_names(host: Host) -> None:
    from comfy_api.feature_flags import get_connection_feature, supports_feature

    sockets = {"a": {"feature_flags": {"supports_preview_metadata": True, "extension": {"manager": {"v4": True}}}}}
    assert supports_feature(sockets, "a", "supports_preview_metadata")
    assert supports_feature(sockets, "a", "extension.manager.v4")
    assert not supports_feature(sockets, "a", "extension.other.v4")
    assert not supports_feature(sockets, "b", "supports_preview_metadata")
    assert get_connection_feature(sockets, "b", "x", 3) == 3


def test_what_plugins_say_that_the_server_can_do_is_known_apart(host: Host) -> None:
    from comfy_api import feature_flags

    before = feature_flags.get_server_features()
    assert before["supports_preview_metadata"] is True
    try:
        feature_flags.SERVER_FEATURE_FLAGS.setdefault("extension", {})["mine"] = {"can": True}
        assert feature_flags.added() == {"extension": {"mine": {"can": True}}}
        assert feature_flags.get_server_features()["extension"] == {"mine": {"can": True}}
    finally:
        feature_flags.SERVER_FEATURE_FLAGS.pop("extension", None)
    assert feature_flags.added() == {}
    assert feature_flags.get_server_features() == before


def extension(nodes: Any, *, is_async: bool = True) -> Callable[[], Any]:
    from comfy_api.latest import ComfyExtension

    class Mine(ComfyExtension):
        if is_async:

            async def get_node_list(self) -> Any:
                return nodes
        else:

            def get_node_list(self) -> Any:
                return nodes

    if is_async:

        async def later() -> Any:
            return Mine()

        return later
    return Mine


@pytest.mark.parametrize("is_async", [True, False])
def test_an_entry_point_may_be_async_or_not(host: Host, is_async: bool) -> None:
    from comfy_api.latest import io

    from compat.v3.extension import node_classes

    class Node(io.ComfyNode):
        pass

    assert asyncio.run(node_classes(extension([Node], is_async=is_async))) == [Node]


@pytest.mark.parametrize(
    ("nodes", "said"), [(None, "must return a list of classes"), ([3], "must list subclasses of io.ComfyNode; 3")]
)
def test_a_list_that_is_none_is_refused(host: Host, nodes: Any, said: str) -> None:
    from compat.v3.extension import node_classes

    with pytest.raises(NodeTypeError, match=said):
        asyncio.run(node_classes(extension(nodes)))


def test_an_entry_point_without_an_extension_is_refused(host: Host) -> None:
    from compat.v3.extension import node_classes

    with pytest.raises(NodeTypeError, match="must return a ComfyExtension; it returned 5"):
        asyncio.run(node_classes(lambda: 5))


def test_the_pack_was_told_that_it_is_loaded(pack: Any) -> None:
    assert "loaded" in pack.seen
