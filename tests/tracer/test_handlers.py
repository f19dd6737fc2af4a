"""The script's own signal handlers, called where they would have been called without us, whatever they raise."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tracer.session import signal_handlers as handlers

SCRIPT = """
    import signal, sys, traceback, torch
    class Enough(BaseException):
        pass
    def handle(number, frame):
        called.append(number)
        if sys.argv[2] != "nothing":
            raise {"TimeoutError": TimeoutError, "RuntimeError": RuntimeError, "OSError": OSError, "Enough": Enough,
                   "KeyboardInterrupt": KeyboardInterrupt}[sys.argv[2]]("barked")
    called = []
    signal.signal(int(sys.argv[1]), handle)
    model = torch.nn.Linear(2, 1)
    updates = 0
    while updates < 3:
        try:
            model(torch.ones(3, 2)).sum().backward()
        except BaseException as error:
            print(type(error).__name__, error)
            files = [entry.filename for entry in traceback.extract_tb(error.__traceback__)]
            print(*[file for file in files if "stepdbg/tracer" in file])
        updates += 1
    print(called == [int(sys.argv[1])] * len(called), len(called), signal.getsignal(int(sys.argv[1])) is handle)
    """
RAISED = ["TimeoutError", "RuntimeError", "OSError", "KeyboardInterrupt", "Enough"]
COMES = [(signal.SIGALRM, raised) for raised in RAISED] + [
    (signal.SIGCHLD, "RuntimeError"),
    (signal.SIGUSR1, "TimeoutError"),
    (signal.SIGALRM, "nothing"),
]


@pytest.mark.parametrize(("number", "raised"), COMES, ids=lambda one: getattr(one, "name", one))
def test_what_a_handler_raises_while_training_stands_arrives_in_the_users_frame_when_it_goes_on(
    tmp_path: Path, number: signal.Signals, raised: str
) -> None:
    with debuggee(write(tmp_path, SCRIPT), str(int(number)), raised) as training:
        stop = training.stop()
        for _ in range(2):
            stop = training.go()
        assert stop is not None
        os.kill(training.process.pid, number)
        assert isinstance(training.ask(m.ListObjects()), m.Objects)
        for _ in training.stops_from(training.go()):
            pass
        status, out, err = training.end()
        assert (status, err) == (0, "")
        told = f"{raised} barked\n\n" if raised != "nothing" else ""
        assert out == f"{told}True 1 True\n"
        assert [f"{number.name} came" in notice for notice in training.notices] == [True] * (number != signal.SIGCHLD)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_process_that_is_asked_to_end_does_not_stand_on(tmp_path: Path, number: signal.Signals) -> None:
    with debuggee(write(tmp_path, SCRIPT), str(int(number)), "KeyboardInterrupt") as training:
        training.stop()
        training.go()
        os.kill(training.process.pid, number)
        assert isinstance(training.next_message(), m.Resumed)
        for _ in training.stops():
            pass
        assert training.end() == (0, "KeyboardInterrupt barked\n\nTrue 1 True\n", "")


def test_an_interrupt_that_comes_while_the_session_is_entered_arrives_in_the_script_and_does_not_stop_it(
    tmp_path: Path,
) -> None:
    script = write(tmp_path, SCRIPT)
    with debuggee(script, str(int(signal.SIGINT)), "KeyboardInterrupt", go="continue") as training:
        hello = training.next_message()
        assert isinstance(hello, m.RankHello)
        os.kill(training.process.pid, signal.SIGINT)
        training.send(m.RankWelcome(m.PROTOCOL_VERSION, "continue", (), False, None))
        (end,) = training.stops("continue")
        assert end.reason == "exit"
        assert training.end() == (0, "KeyboardInterrupt barked\n\nTrue 1 True\n", "")


def test_what_comes_out_of_a_handler_is_known_from_a_fault_of_ours() -> None:
    def handle(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGUSR2, handle)
    try:
        with pytest.raises(TimeoutError) as barked:
            signal.raise_signal(signal.SIGUSR2)
        assert handlers.raised(barked.value)
        with pytest.raises(ZeroDivisionError) as other:
            1 / 0  # noqa: B018
        assert not handlers.raised(other.value)
    finally:
        signal.signal(signal.SIGUSR2, before)
