"""Breakpoints on lines are left in the session's folder: a line may run before its process enters the session."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stepdbg.hub.breakpoints.early import leave_word
from stepdbg.protocol.breakpoint_text import parse
from stepdbg.protocol.messages import Breakpoint
from stepdbg.protocol.runtime_folder import LINES_FILE


def test_word_is_left_of_those_on_lines_alone_and_taken_back_with_the_last(tmp_path: Path) -> None:
    line, phase = parse("train.py:48 if x > 2"), parse("backward")
    leave_word(tmp_path, (phase,))
    assert not (tmp_path / LINES_FILE).exists()
    leave_word(tmp_path, (phase, line))
    assert msgspec.json.decode((tmp_path / LINES_FILE).read_bytes(), type=tuple[Breakpoint, ...]) == (line,)
    leave_word(tmp_path, (phase,))
    assert list(tmp_path.iterdir()) == []
    leave_word(tmp_path / "gone", (line,))
