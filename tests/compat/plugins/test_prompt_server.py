"""server.PromptServer in a process that no server has started, and what it sends."""

import asyncio
import io
import struct
from typing import Any

import pytest
from PIL import Image

from compat.host import Host
from compat.prompt_server import BinaryEventTypes, PromptServer, encode_preview


def test_there_is_an_instance_with_all_that_plugins_touch_at_import(host: Host) -> None:
    import server

    instance = server.PromptServer.instance
    assert server.web.json_response
    assert server.uuid.uuid4
    assert instance.supports == ["custom_nodes_from_web"]
    assert instance.client_id is None
    assert instance.number == 0
    assert instance.app.frozen is False
    assert instance.app.router.frozen is False
    instance.number += 1
    assert instance.prompt_queue.currently_running == {}
    assert instance.get_queue_info() == {"exec_info": {"queue_remaining": 0}}
    assert dict(instance.sockets) == {}
    assert (BinaryEventTypes.PREVIEW_IMAGE, BinaryEventTypes.UNENCODED_PREVIEW_IMAGE) == (1, 2)
    assert (BinaryEventTypes.TEXT, BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA) == (3, 4)


def test_messages_go_to_the_outbox(host: Host, post: Any) -> None:
    server = PromptServer.instance
    server.send_sync("mine", {"a": 1}, "me")
    asyncio.run(server.send("mine", {"a": 2}))
    asyncio.run(server.send_json("mine", {"a": 3}, "me"))
    server.send_progress_text("text", "7", "me")
    assert post.sent == [
        ("mine", {"a": 1}, "me"),
        ("mine", {"a": 2}, None),
        ("mine", {"a": 3}, "me"),
        (3, b"\x00\x00\x00\x017text", "me"),
    ]


@pytest.mark.parametrize(("format", "number"), [("JPEG", 1), ("PNG", 2)])
def test_a_picture_in_the_making_is_encoded_and_shrunk(host: Host, post: Any, format: str, number: int) -> None:
    picture = Image.new("RGBA", (64, 32), "red")
    PromptServer.instance.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, (format, picture, 16), "me")
    [(event, data, _)] = post.sent
    assert (event, struct.unpack(">I", data[:4])[0]) == (1, number)
    opened = Image.open(io.BytesIO(data[4:]))
    assert (opened.format, opened.size) == (format, (16, 8))


def test_a_picture_without_a_largest_side_keeps_its_size() -> None:
    data = encode_preview(("PNG", Image.new("L", (5, 4)), None))
    assert Image.open(io.BytesIO(data[4:])).size == (5, 4)


def test_handlers_change_a_prompt_one_after_the_other_and_may_fail(host: Host) -> None:
    server = PromptServer.instance
    server.add_on_prompt_handler(lambda body: {**body, "a": 1})
    server.add_on_prompt_handler(lambda body: 1 / 0)
    server.add_on_prompt_handler(lambda body: None)
    server.add_on_prompt_handler(lambda body: {**body, "b": body["a"] + 1})
    assert server.trigger_on_prompt({"prompt": {}}) == {"prompt": {}, "a": 1, "b": 2}


def test_files_of_the_user_stay_in_their_folder(host: Host) -> None:
    users = PromptServer.instance.user_manager
    assert users.get_request_user_id(None) == "default"
    folder = host.folders.user / "default"
    assert users.get_request_user_filepath(None, "a/b.json") == str(folder / "a" / "b.json")
    assert (folder / "a").is_dir()
    assert users.get_request_user_filepath(None, None) == str(folder)
    assert users.get_request_user_filepath(None, "../../x") is None
    assert users.settings.get_settings(None) == {}
    users.settings.save_settings(None, {"a": [1]})
    assert users.settings.get_settings(None) == {"a": [1]}
