"""The log: what a line looks like, what it never holds, and how a worker's records come through."""

import io
import json
import logging

import pytest

from server.watching import logs
from server.watching.logs import Flood


@pytest.fixture
def log():
    """Configures logging to a string and puts everything back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in ("aiohttp.access", "asyncio", "PIL", "worker")}
    stream = io.StringIO()

    def configured(level="INFO", format="json", **more):
        logs.configure(level, format, stream=stream, **more)
        return stream

    yield configured
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def objects(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_for_people_names_job_and_node(log):
    stream = log(format="text")
    about = {"job": "3f2a6c10-1111-4222-8333-444455556666", "node": "5", "class_type": "KSampler"}
    logging.getLogger("server.x").info("is drawn", extra=about)
    logging.getLogger("server.x").warning("plain")
    first, second = stream.getvalue().splitlines()
    assert first[8:] == " INFO job 3f2a6c10… node 5 (KSampler): is drawn"
    assert second[8:] == " WARNING plain"


def test_a_line_for_people_says_nothing_twice(log):
    stream = log(format="text")
    logging.getLogger("x").info("worker-0 has job 3f2a", extra={"worker": "worker-0", "job": "3f2a"})
    assert stream.getvalue()[8:] == " INFO worker-0 has job 3f2a\n"


def test_a_workers_line_is_never_longer_than_its_reader_takes(log):
    stream = log(longest=logs.LINE)
    try:
        raise ValueError("ü\n" * 5000)
    except ValueError:
        logging.getLogger("x").exception("failed %s", "too" * 5000, extra={"node": "5"})
    logging.getLogger("x").info("short")
    assert all(len(line) <= logs.LINE for line in stream.getvalue().splitlines())
    first, second = objects(stream)
    assert first["exception"].endswith("\n")
    assert first["message"].startswith("failed too")
    assert (first["node"], second["message"]) == ("5", "short")


def test_a_json_line_holds_time_level_logger_message_and_the_fields_that_are_known(log):
    stream = log()
    about = {"job": "a", "worker": "worker-0", "node": "5"}
    logging.getLogger("server.x").info("saw %d", 3, extra={**about, "status": 200, "seconds": 0.5})
    (told,) = objects(stream)
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "INFO",
        "logger": "server.x",
        "message": "saw 3",
        "job": "a",
        "node": "5",
        "worker": "worker-0",
        "status": 200,
        "seconds": 0.5,
    }


@pytest.mark.parametrize("format", ["text", "json"])
def test_nobody_can_forge_a_line_or_send_commands_to_the_terminal(log, format):
    stream = log(format=format)
    evil = "x\r\n12:00:00 INFO all is well \x1b[2J\x9b\u2028\u202e\ud800"
    logging.getLogger("x").info("no node type %s", evil, extra={"job": evil, "node": evil})
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert not set("\r\x1b\x9b\u2028\u202e") & set(text)


def test_an_exception_is_indented_so_that_its_text_cannot_pass_for_a_line(log):
    stream = log(format="text")
    try:
        raise ValueError("broken\n12:00:00 INFO all is well")
    except ValueError:
        logging.getLogger("x").exception("failed")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("ERROR failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in rest)


def test_an_exception_is_text_in_json(log):
    stream = log()
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert objects(stream)[0]["exception"].endswith("ValueError: broken")


@pytest.mark.parametrize(
    "text",
    [
        "GET /ws?clientId=1&token=hunter2&x=1",
        "Authorization: Bearer hunter2",
        'extra_data {"api_key_comfy_org": "hunter2"}',
        "password = hunter2",
        "sent hunter2 in the open",
    ],
)
@pytest.mark.parametrize("format", ["text", "json"])
def test_secrets_are_masked(log, text, format):
    stream = log(format=format, secrets=["hunter2"] if "open" in text else [])
    logging.getLogger("x").info("%s", text)
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "hunter2" not in stream.getvalue()
    assert "***" in stream.getvalue()


def test_words_that_only_look_like_secrets_stay(log):
    stream = log()
    logging.getLogger("x").info("--token is needed; 77 tokens at most")
    assert objects(stream)[0]["message"] == "--token is needed; 77 tokens at most"


def test_a_workers_record_arrives_as_it_was_made(log):
    stream = log()
    logging.getLogger("engine.x").warning("%s is slow", "it", extra={"job": "a", "node": "5"})
    line = stream.getvalue().strip()
    later = {"worker": "worker-1", "node": "6", "class_type": "KSampler"}
    logging.getLogger("worker").info("%s", line, extra=later)
    first, second = objects(stream)
    assert second == first | {"logger": "worker.engine.x", "worker": "worker-1"}


def test_a_workers_record_below_the_level_is_left_out_and_an_error_is_not(log):
    stream = log(level="ERROR")
    line = '{"time": "2026-11-22T01:00:00.000Z", "level": "%s", "logger": "x", "message": "%s"}'
    logging.getLogger("worker").info(line % ("INFO", "fine"))
    logging.getLogger("worker").info(line % ("ERROR", "not fine"))
    logging.getLogger("worker").info("a print of a node")
    assert [told["message"] for told in objects(stream)] == ["not fine"]


@pytest.mark.parametrize(
    "line",
    [
        '{"time":',
        '{"time": 3}',
        '{"time": "yesterday", "level": "INFO", "logger": "x", "message": "m"}',
        '{"time": "2026-11-22T01:00:00Z", "level": "LOUD", "logger": "x", "message": "m"}',
        '{"time": "2026-11-22T01:00:00Z", "level": ["INFO"], "logger": "x", "message": "m"}',
        '{"time": ' + "[" * 100_000,
        "100% done",
    ],
)
def test_what_a_node_prints_stays_a_text(log, line):
    stream = log()
    logging.getLogger("worker").info("%s", line, extra={"worker": "worker-0"})
    (told,) = objects(stream)
    assert (told["message"], told["logger"], told["worker"]) == (line, "worker", "worker-0")


def test_a_flood_is_thinned_and_counted(log):
    stream = log()
    for index in range(logs.PER_SECOND + 30):
        logging.getLogger("x").warning("step %d is odd", index)
    logging.getLogger("x").warning("something else")
    logging.getLogger().handlers[-1].close()
    messages = [told["message"] for told in objects(stream)]
    assert messages.count("something else") == 1
    assert sum(message.endswith("is odd") for message in messages) == logs.PER_SECOND
    assert messages[-1] == "step 0 is odd (and 30 more like it)"


def test_a_flood_of_ever_new_messages_is_bounded_too():
    flood = Flood(2, clock=lambda: 0.0)
    admitted = sum(
        flood.admits(logging.LogRecord("x", 20, "", 0, "".join(chr(97 + int(digit)) for digit in str(n)), (), None))
        for n in range(3000)
    )
    assert admitted <= 1002
    assert sum("other records" in note.getMessage() for note in flood.due(at_once=True)) == 1


def test_after_a_second_a_message_is_written_again():
    now = [0.0]
    flood = Flood(1, clock=lambda: now[0])
    record = logging.LogRecord("x", 20, "", 0, "again", (), None)
    assert [flood.admits(record), flood.admits(record)] == [True, False]
    assert flood.due() == []
    now[0] = 1.5
    assert [note.getMessage() for note in flood.due()] == ["again (and 1 more like it)"]
    assert flood.admits(record)


def test_a_record_whose_arguments_do_not_fit_is_written_all_the_same(log):
    stream = log()
    logging.getLogger().handlers[-1].handle(logging.LogRecord("x", 20, "", 0, "%d of %d", ("one",), None))
    assert objects(stream)[0]["message"] == "%d of %d (its arguments do not fit: TypeError)"


@pytest.mark.parametrize(("error", "written"), [(ConnectionResetError("gone"), 0), (ValueError("ours"), 1)])
def test_a_client_that_leaves_in_the_middle_is_no_error(log, error, written):
    stream = log()
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)
    assert len(objects(stream)) == written


def test_configuring_twice_writes_each_record_once(log):
    log()
    stream = log()
    logging.getLogger("x").info("once")
    assert len(objects(stream)) == 1


def test_a_level_by_name_in_any_case(log):
    stream = log(level="warning")
    logging.getLogger("x").info("too little")
    logging.getLogger("x").warning("enough")
    assert [told["message"] for told in objects(stream)] == ["enough"]
