"""The keeper with real ptys: what the target is given, and what survives whose death."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.deadline import deadline

from stepdbg.hub.target.terminal import KEEPER

DEADLINE = deadline(15)


class Kept:
    """A keeper, and the hub's end of its socket."""

    def __init__(self, folder: Path, *argv: str, **run: object) -> None:
        self.log = folder / "output.log"
        self.socket, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._received = b""
        self.words: list[dict[str, object]] = []
        what = {"argv": argv, "cwd": str(folder), "variables": {}, "log": str(self.log), "columns": 91, "rows": 33}
        self.say(run={**what, **run})

    def say(self, **word: object) -> None:
        self.socket.sendall(json.dumps(word).encode() + b"\n")

    def type(self, text: bytes) -> None:
        self.say(input=base64.b64encode(text).decode())

    def until(self, key: str) -> object:
        """The value of the next word of that name."""
        deadline = time.monotonic() + DEADLINE
        while True:
            for word in self.words:
                if key in word:
                    self.words.remove(word)
                    return word[key]
            assert select.select([self.socket], [], [], deadline - time.monotonic())[0], f"no {key}; {self.words}"
            data = self.socket.recv(65536)
            assert data, "the keeper has gone"
            *lines, self._received = (self._received + data).split(b"\n")
            self.words += [json.loads(line) for line in lines]

    def until_output(self, text: bytes) -> bytes:
        """The output, once it holds `text`."""
        while text not in self.output():
            self.until("wrote")
        return self.output()

    def output(self) -> bytes:
        old = self.log.with_name("output.log.1")
        return (old.read_bytes() if old.exists() else b"") + (self.log.read_bytes() if self.log.exists() else b"")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.socket.close()


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[object]:
    kept: list[Kept] = []

    def start(*argv: str, **run: object) -> Kept:
        kept.append(Kept(tmp_path, *argv, **run))
        return kept[-1]

    yield start
    for one in kept:
        one.close()


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)])
def test_the_exit_status_is_the_targets_own(keep, code: str, status: int) -> None:  # type: ignore[no-untyped-def]
    assert keep(*python(code)).until("exit") == status


def test_all_output_is_in_the_log_before_the_exit_is_told(keep) -> None:  # type: ignore[no-untyped-def]
    kept = keep(*python("import sys; sys.stdout.write('x' * 300_000 + 'END')"))
    assert kept.until("exit") == 0
    assert kept.output() == b"x" * 300_000 + b"END"


def test_the_target_leads_the_foreground_of_a_terminal_of_the_size_asked_for(keep) -> None:  # type: ignore[no-untyped-def]
    """The leader of its session is neither itself nor its parent, the keeper."""
    kept = keep(
        *python(
            "import os; tty = os.open('/dev/tty', os.O_RDWR); keeper = open(f'/proc/{os.getppid()}/cmdline').read(); "
            "print(os.get_terminal_size(), os.tcgetpgrp(tty) == os.getpgrp() == os.getpid(), "
            "os.getsid(0) not in (os.getpid(), os.getppid()), 'keeper.py' in keeper, all(map(os.isatty, (0, 1, 2))))"
        )
    )
    assert kept.until("exit") == 0
    assert kept.output() == b"os.terminal_size(columns=91, lines=33) True True True True\r\n"


def test_a_new_size_reaches_the_target_as_a_signal(keep) -> None:  # type: ignore[no-untyped-def]
    kept = keep(
        *python(
            "import os, signal\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])\n"
            "print('ready', flush=True); signal.sigwait([signal.SIGWINCH]); print(os.get_terminal_size().columns)"
        )
    )
    kept.until_output(b"ready")
    kept.say(size=[123, 40])
    assert kept.until("exit") == 0
    assert b"123" in kept.output()


def test_what_is_typed_is_the_targets_stdin_and_ctrl_c_is_a_sigint(keep) -> None:  # type: ignore[no-untyped-def]
    # Blocked and waited for: a signal between a prompt and the read that follows it would be seen only at the next key.
    waits = "signal.pthread_sigmask(signal.SIG_BLOCK, [2]); print('again ', flush=True); signal.sigwait([2])"
    unblocks = "signal.pthread_sigmask(signal.SIG_UNBLOCK, [2]); raise KeyboardInterrupt"
    kept = keep(*python(f"import signal; print('name', input('? '), flush=True); {waits}; {unblocks}"))
    kept.until_output(b"? ")
    kept.type(b"Ada\r")
    kept.until_output(b"again ")
    assert b"name Ada" in kept.output()
    kept.type(b"\x03")
    assert kept.until("exit") == -signal.SIGINT
    assert b"KeyboardInterrupt" in kept.output()


def test_a_signal_goes_to_the_targets_process_group(keep) -> None:  # type: ignore[no-untyped-def]
    kept = keep("sh", "-c", "sleep 1000 & echo ready; wait")
    kept.until_output(b"ready")
    kept.say(signal=int(signal.SIGTERM))
    assert kept.until("exit") == -signal.SIGTERM


def test_ctrl_z_does_not_put_the_target_to_sleep_for_ever(keep) -> None:  # type: ignore[no-untyped-def]
    kept = keep(*python("input('? '); print('awake')"))
    kept.until_output(b"? ")
    kept.type(b"\x1a")
    kept.type(b"\r")
    assert kept.until("exit") == 0
    assert b"awake" in kept.output()


def test_a_grandchild_that_holds_the_terminal_does_not_hold_up_the_exit(keep) -> None:  # type: ignore[no-untyped-def]
    kept = keep("sh", "-c", "sleep 1000 & echo pid $!; exit 3")
    assert kept.until("exit") == 3
    os.kill(int(kept.output().split()[1]), signal.SIGKILL)


def test_a_target_that_cannot_be_executed_is_reported(keep) -> None:  # type: ignore[no-untyped-def]
    assert "No such file" in str(keep("/no/such/program").until("cannot"))
    assert "/no/where" in str(keep("true", cwd="/no/where").until("cannot"))


def test_days_of_progress_bars_do_not_fill_the_disk(keep) -> None:  # type: ignore[no-untyped-def]
    kept = keep(*python("for n in range(20_000): print(f'{n:06d}', end='\\r')"), limit=20_000)
    assert kept.until("exit") == 0
    assert kept.log.stat().st_size + kept.log.with_name("output.log.1").stat().st_size <= 2 * 20_000
    assert kept.output().endswith(b"019999\r")


def test_when_the_hub_dies_in_mid_output_the_target_runs_to_its_end(keep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = tmp_path / "done"
    kept = keep(
        *python(
            "import pathlib, sys\n"
            "print('begun', flush=True)\n"
            "for n in range(20_000): print('line', n)\n"
            f"sys.stdout.flush(); pathlib.Path({str(done)!r}).write_text('to the end')"
        )
    )
    kept.until_output(b"begun")
    kept.socket.close()
    assert kept.process.wait(DEADLINE) == 0
    assert done.read_text() == "to the end"
    assert b"line 19999\r\n" in kept.output()


def test_a_hub_that_dies_while_it_is_told_something_takes_no_keeper_along(keep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    end = tmp_path / "end"
    os.mkfifo(end)
    kept = keep(*python(f"for n in range(20_000): print('line', n, flush=True)\nopen({str(end)!r}, 'w').close()"))
    end.read_bytes()  # the hub has read nothing: words for it wait, for which there is no room any more
    kept.socket.close()
    assert kept.process.wait(DEADLINE) == 0


MOMENTS = {
    "while it is silent": "gone(); print('still there')",
    "in mid output": "for n in range(30_000): print('line', n)\nprint('still there')",
    "while a child of its own runs": "import subprocess; subprocess.run([sys.executable, '-c', "
    '\'import os, select; select.select([int(os.environ["KEEPER"])], [], []); print("still there")\'], '
    "close_fds=False, env={**os.environ, 'KEEPER': str(keeper)})",
}
WATCHES = """
import os, select, sys
keeper = os.pidfd_open(os.getppid()); os.set_inheritable(keeper, True)
def gone(): select.select([keeper], [], [])
print('begun', flush=True)
"""


@pytest.mark.parametrize("moment", MOMENTS)
def test_when_the_keeper_is_killed_the_target_runs_to_its_end_with_its_output_in_the_log(
    keep,  # type: ignore[no-untyped-def]
    moment: str,
) -> None:
    kept = keep(*python(WATCHES + MOMENTS[moment] + "\nprint(os.isatty(os.open('/dev/tty', os.O_RDWR)), 'at the end')"))
    target = kept.until("started")
    kept.until_output(b"begun")
    leader = int(Path(f"/proc/{target}/stat").read_text().split()[5])
    ended = [os.pidfd_open(pid) for pid in (target, leader)]
    kept.process.kill()
    for descriptor in ended:
        assert select.select([descriptor], [], [], DEADLINE)[0]
        os.close(descriptor)
    assert kept.output().endswith(b"still there\r\nTrue at the end\r\n")


def test_where_nothing_adopts_orphans_the_keeper_leads_the_session_itself(keep) -> None:  # type: ignore[no-untyped-def]
    kept = keep(
        *python("import os; print(os.getsid(0) == os.getppid(), os.ttyname(0)); raise SystemExit(3)"), adopts=False
    )
    assert kept.until("exit") == 3
    assert kept.output().startswith(b"True /dev/")


@pytest.mark.parametrize("log", ["/dev/full", "/no/where/output.log"])
def test_what_the_log_cannot_take_is_handed_to_the_hub(keep, log: str) -> None:  # type: ignore[no-untyped-def]
    kept = keep(*python("import sys; sys.stdout.write('x' * 300_000 + 'END')"), log=log)
    assert kept.until("exit") == 0
    told = [word for word in kept.words if "output" in word]
    assert b"".join(base64.b64decode(str(word["output"])) for word in told) == b"x" * 300_000 + b"END"
    assert {word["problem"] for word in told} <= {"No space left on device", "No such file or directory"}
