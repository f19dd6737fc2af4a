"""What a session runs gets to its hub as it was given, bytes that are no UTF-8 included."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stepdbg.hub.launch import LAUNCH, Launch, read_launch, written
from stepdbg.hub.process.session_file import SessionFile, read_session_file, write_session_file


@pytest.mark.parametrize("words", [("train.py", "größe"), ("tr\udcff.py", "\udce9"), ("a\\ud800", "b")])
def test_a_launch_is_read_as_it_was_written(tmp_path: Path, words: tuple[str, ...]) -> None:
    launch = Launch(("python", *words), words[0], f"/tmp/{words[0]}", columns=100)
    (tmp_path / LAUNCH).write_bytes(written(launch))
    assert read_launch(tmp_path) == launch


def test_the_card_of_such_a_session_can_be_listed(tmp_path: Path) -> None:
    write_session_file(tmp_path, SessionFile("tr-1a2b", "python tr\udcff.py", "/tmp/\udcff", 1, 0.0, "paused"))
    session_file = read_session_file(tmp_path)
    assert session_file is not None
    assert session_file.target == "python tr\\udcff.py"


def test_what_a_training_process_may_do_late_comes_with_its_welcome() -> None:
    launch = Launch(("python", "train.py"), "train.py", "/tmp")
    allowing = msgspec.structs.replace(launch, async_conditions=True)
    assert [one.welcome(None, (), ()).async_conditions for one in (launch, allowing)] == [False, True]
