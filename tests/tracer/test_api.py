"""The public names outside a session: the loop runs, and nothing else happens."""

from __future__ import annotations

import subprocess
import sys

import pytest

import stepdbg


def test_a_loop_runs_to_its_end_and_returns_what_the_generator_returns() -> None:
    @stepdbg.loop
    def train(count: int):
        for _ in range(count):
            yield "forward"
        return count

    assert train(3) == 3
    assert list(train.generator(2)) == ["forward", "forward"]
    assert train.__name__ == "train"


def test_a_method_may_be_a_loop() -> None:
    class Trainer:
        rounds = 2

        @stepdbg.loop
        def fit(self):
            yield "step"
            return self.rounds

    assert Trainer().fit() == 2
    assert list(Trainer().fit.generator()) == ["step"]


def test_anything_but_a_string_is_refused_with_the_line() -> None:
    @stepdbg.loop
    def train():
        yield 3

    with pytest.raises(stepdbg.LoopError, match=r"test_api\.py:\d+ yields 3"):
        train()


def test_a_function_without_yield_is_refused() -> None:
    with pytest.raises(stepdbg.LoopError, match="no yield"):
        stepdbg.loop(lambda: None)()


def test_phase_breakpoint_and_watch_do_nothing_outside_a_session() -> None:
    with stepdbg.phase("ema"):
        assert stepdbg.breakpoint() is None
        assert stepdbg.watch("nonsense", object()) is None


def test_an_exception_in_a_loop_shows_none_of_our_frames() -> None:
    @stepdbg.loop
    def train():
        yield "data"
        raise ValueError("theirs")

    with pytest.raises(ValueError, match="theirs") as caught:
        train()
    files = [str(entry.path) for entry in caught.traceback]
    assert not [file for file in files if "stepdbg/api" in file]


def test_importing_stepdbg_imports_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "textual", "msgspec", "asyncio")
    code = f"import sys, stepdbg; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
