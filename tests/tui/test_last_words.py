"""What stands on the terminal after the screen: the traceback of a crash, and nothing that the terminal would obey."""

from __future__ import annotations

from msgspec.structs import replace
from tui.builders import session, stop_after

from stepdbg.protocol.messages import Failure, SessionState
from stepdbg.tui.records.transcript import Transcript
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.words.last_words import FEW_LINES, MOST_LINES, last_words

CHAINED = """\
Traceback (most recent call last):
  File "a.py", line 1, in f
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
ValueError: e\x1b]0;PWN\x07\x9b
"""


def ended(output: str, status: int | None = 1) -> Snapshot:
    session = SessionState("a-1", "python a.py", "a.py", "exited", exit_status=status)
    return replace(Snapshot(session), output=Transcript().fed(0, output.encode()))


def test_the_traceback_is_left_whole_with_what_it_is_chained_to() -> None:
    earlier = "Traceback (most recent call last):\nan old one, caught and printed\nepoch 1\n"
    words = last_words(ended(earlier + CHAINED))
    assert words.splitlines()[:3] == CHAINED.splitlines()[:3]
    assert words.count("Traceback") == 2
    assert "old one" not in words
    assert words.replace("\n", "").isprintable()


def test_what_was_raised_after_the_exception_that_training_stopped_on_is_left_too() -> None:
    traceback = CHAINED.partition("\n\n")[0]
    stop = stop_after("backward", reason="exception", failure=Failure("KeyError", "'x'", traceback))
    stopped = replace(session(stop, "exited"), exit_status=1)

    def left(output: str) -> list[str]:
        return last_words(replace(Snapshot(stopped), output=Transcript().fed(0, output.encode()))).splitlines()

    assert left(CHAINED)[0] == CHAINED.splitlines()[0]
    assert "During handling" in "".join(left(CHAINED))
    assert left(CHAINED)[-1].startswith("ValueError: e")
    for printed in ("", traceback, "Traceback (most recent call last):\nChildFailedError: of a launcher\n"):
        assert left(printed) == traceback.splitlines()


def test_where_a_script_failed_with_no_traceback_the_end_of_its_output_is_left() -> None:
    words = last_words(ended("".join(f"line {n}\n" for n in range(50)) + "usage: a.py [-h]\n", 2))
    assert words.splitlines()[-1] == "usage: a.py [-h]"
    assert len(words.splitlines()) == FEW_LINES


def test_a_script_that_ended_well_or_trains_leaves_nothing() -> None:
    assert last_words(ended(CHAINED, 0)) == ""
    assert last_words(Snapshot(SessionState("a-1", "", "a.py", "running"))) == ""


def test_an_endless_traceback_is_cut_at_its_beginning() -> None:
    words = last_words(ended("Traceback (most recent call last):\n" + "  File\n" * 3_000 + "RecursionError: deep\n"))
    assert len(words.splitlines()) == MOST_LINES
    assert words.endswith("RecursionError: deep\n")
