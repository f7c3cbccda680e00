"""What is known of plugins that took their process along."""

import multiprocessing
import os
from pathlib import Path

from engine.workers.diary import UNKNOWN, Diary

PLUGIN = Path("/custom_nodes/pack")


def test_an_import_that_ended_leaves_nothing(tmp_path: Path) -> None:
    diary = Diary(tmp_path, "worker-0")
    assert diary.begin(PLUGIN, "1")
    diary.end()
    assert diary.conclude("SIGSEGV") == []
    assert diary.crashes() == {}


def test_whoever_saw_the_end_says_how_it_was(tmp_path: Path) -> None:
    Diary(tmp_path, "worker-0").begin(PLUGIN, "1")
    assert Diary(tmp_path, "worker-1").conclude("SIGSEGV") == []
    assert Diary(tmp_path, "worker-0").conclude("SIGSEGV") == [str(PLUGIN)]
    crash = Diary(tmp_path, "worker-1").crashes()[str(PLUGIN)]
    assert (crash.stamp, crash.why) == ("1", "SIGSEGV")
    Diary(tmp_path, "worker-0").forgive(str(PLUGIN))
    assert Diary(tmp_path, "worker-0").crashes() == {}


def test_a_note_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    Diary(tmp_path, "run-1").begin(PLUGIN, "1")
    assert Diary(tmp_path, "run-2").conclude() == []
    assert Diary(tmp_path, "run-2").crashes() == {}


def _die(folder: Path) -> None:
    Diary(folder, "run-1").begin(PLUGIN, "1")
    os._exit(3)


def test_a_process_that_died_without_witness_is_found_out(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die, args=(tmp_path,))
    process.start()
    process.join()
    assert Diary(tmp_path, "run-2").conclude() == [str(PLUGIN)]
    assert Diary(tmp_path, "run-2").crashes()[str(PLUGIN)].why == UNKNOWN


def test_a_damaged_file_means_that_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "crashed.json").write_text("{")
    (tmp_path / "importing-worker-0.json").write_text("[]")
    diary = Diary(tmp_path, "worker-0")
    assert diary.crashes() == {}
    assert diary.conclude("x") == []


def test_a_disk_that_refuses_is_admitted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Diary(tmp_path / "file" / "below", "worker-0").begin(PLUGIN, "1") is False
