"""A line of a trace is JSON that a terminal can show."""

from __future__ import annotations

import json

from stepdbg.protocol.messages import Boundary, Traced
from stepdbg.traces.line import line


def test_a_line_holds_no_character_that_a_terminal_would_obey_and_means_the_same() -> None:
    name = "e\x1b]0;PWN\x07\x9b2J\x7f\u202ez\u2028größe\U000e0041"
    written = line(Traced(Boundary(1, 1, done=name, file="x.py", line=1), 1))
    assert written[:-1].decode().isprintable()
    assert "größe" in written.decode()
    assert json.loads(written)["done"] == name
