"""A program run bare, traced, and stepped boundary by boundary through the protocol, all at the same time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from harness import warm
from harness.deadline import deadline
from harness.place import STEPDBG, Place
from tracer.bare_hub import Debuggee, bare, debuggee

from stepdbg.commands.check.rule_names import rule_names
from stepdbg.protocol import messages as m
from stepdbg.protocol.page import Page
from stepdbg.traces import line as trace_line

PROGRAMS = Path(__file__).parent / "programs"
SECONDS = deadline(200)
"""The longest that the traced run may take; inductor compiles."""
Look = Callable[[Debuggee, m.Stop], None]
"""What a test does at a stop: ask the debuggee whatever it likes."""
COMPILED = "dynamo has to be imported after the tracer, as it always is: it keeps what it finds in torch as it starts"
COLD = {
    "as_under_python": "prints what it sees of the interpreter",
    "compiled_aot_eager": COMPILED,
    "compiled_inductor": COMPILED,
    "compiled_step": COMPILED,
    "compiled_update": COMPILED,
}
"""Programs whose bare and stepped runs, too, get a Python that starts with nothing, and why."""


BY_COMMAND = {*COLD, "artefacts", "evaluations", "exception_uncaught", "exceptions_caught", "exit_status", "gan",
              "generator_loop", "lbfgs", "threads", "workers_fork", "workers_spawn", "wrapped_models"}  # fmt: skip
"""Programs traced by the command; the others are traced over the protocol."""


class Outcome(NamedTuple):
    """What the user sees of a run; the digest is the last line of stdout."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Stepped:
    """What came of stepping."""

    stops: list[m.Stop] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    """Of all objects and optimizers that were listed on the way."""
    losses: list[str] = field(default_factory=list)
    """What `backward` was called on, in the order of appearance, as the chart names them."""
    points: list[tuple[int, int, float]] = field(default_factory=list)
    """Update, index and value of each."""
    notices: list[str] = field(default_factory=list)
    found: list[m.Finding] = field(default_factory=list)
    """What the rules have found on the way."""


class Free(NamedTuple):
    """What came of a free run."""

    outcome: Outcome
    end: m.Stop
    """Where the script has ended; the course is told of there."""
    points: list[tuple[int, int, float]]
    """The losses on the page."""


class Runs(NamedTuple):
    """One program, several ways."""

    script: Path
    bare: Outcome
    traced: Outcome
    stepped: Outcome
    lines: list[Any]
    """Of the trace."""
    stepping: Stepped
    free: Free | None = None
    found: tuple[m.Finding, ...] = ()
    """What the rules have found, from its beginning to its end."""


def run(place: Place, script: Path, file: Path, *arguments: str, look: Look | None = None, free: bool = False) -> Runs:
    """Run that script with these arguments, and write its trace to `file`.

    `look` may ask at each stop of stepping; `free` has it run free as well.
    """
    command = [str(script), *arguments]
    found: list[m.Finding] = []
    with ThreadPoolExecutor(3) as pool:
        bare_run = pool.submit(bare, *command, cold=script.stem in COLD)
        by_command = script.stem in BY_COMMAND or script.parent != PROGRAMS
        if by_command:
            traced = pool.submit(_trace, command, file, place)
        else:
            traced = pool.submit(_trace_by_protocol, command, file, found)
        stepped = pool.submit(step_through, *command, look=look, cold=script.stem in COLD)
        outcome, stepping = stepped.result()
        freely = run_free(*command) if free else None
        outcomes = (Outcome(*bare_run.result()), traced.result(), outcome)
    lines = [json.loads(line, object_hook=lambda fields: SimpleNamespace(**fields)) for line in file.open()]
    if by_command:
        _by_rules(command, found, cold=script.stem in COLD)
    return Runs(script, *outcomes, lines, stepping, freely, tuple(found))


def run_free(*command: str) -> Free:
    """Run a script with its arguments past all its boundaries."""
    with debuggee(*command, go="continue") as training:
        (end,) = training.stops("continue")
        assert training.hello is not None
        points = Page(training.folder / training.hello.page).losses_since(0)[1]
        return Free(Outcome(*training.end()), end, points)


def _trace(script: list[str], file: Path, place: Place) -> Outcome:
    """By the command as a user types it, though in a warm Python where that makes no difference to the program."""
    python = () if Path(script[0]).stem in COLD else ("--python", str(warm.interpreter()))
    command = [STEPDBG, "trace", *python, "-o", str(file), "--effects", "--fingerprints", *script]
    env = {**os.environ, "STEPDBG_RUNTIME_DIR": str(place.runtime)}
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def _by_rules(script: list[str], found: list[m.Finding], *, cold: bool) -> None:
    """Have the rules look at each boundary of a script that was traced without them."""
    with debuggee(*script, go="continue", trace=m.Tracing(rules=rule_names()), cold=cold) as training:
        list(training.stops("continue"))
        found += training.found
        training.end()


def _trace_by_protocol(script: list[str], file: Path, found: list[m.Finding]) -> Outcome:
    wanted = m.Tracing(effects=True, fingerprints=True, rules=rule_names())
    with debuggee(*script, go="continue", trace=wanted) as training:
        list(training.stops("continue"))
        found += training.found
        file.write_bytes(b"".join(trace_line.line(traced) for traced in training.traced))
        return Outcome(*training.end())


def step_through(*command: str, look: Look | None = None, cold: bool = False) -> tuple[Outcome, Stepped]:
    """Stop at every boundary of a script with its arguments; `cold` as for `bare`."""
    stepping = Stepped()
    with debuggee(*command, cold=cold) as training:
        for stop in training.stops():
            stepping.stops.append(stop)
            if look is not None:
                look(training, stop)
            if "step" in (stop.boundary.next, stop.boundary.done) or len(stepping.stops) % 7 == 0:
                _look_round(training, stepping.names)
        assert training.hello is not None
        page = Page(training.folder / training.hello.page)
        stepping.losses, stepping.points = list(page.loss_names()), page.losses_since(0)[1]
        outcome = Outcome(*training.end())
        stepping.notices, stepping.found = training.notices, training.found
    return outcome, stepping


def _look_round(training: Debuggee, names: set[str]) -> None:
    rows = training.ask(m.ListObjects()).rows
    names |= {row.name for row in rows}
    names |= {optimizer.name for optimizer in training.ask(m.ListOptimizers()).optimizers}
    numbers = tuple(row.name for row in rows if row.shape)
    assert len(training.ask(m.Summarise(numbers)).rows) == len(numbers)


def course(boundaries: list[Any]) -> list[str]:
    """The phases of each update, a line per update: `zero_grad forward loss …`.

    A phase inside of another is written `step>forward`, one that was skipped `step(skipped)`.
    """
    updates: dict[int, list[str]] = {}
    before = None
    for boundary in boundaries:
        done = updates.setdefault(boundary.update, [])
        if before is not None and len(before.inside) > len(boundary.inside) and before.next is not None:
            done.append(">".join((*before.inside, before.next)))  # the last one inside: no boundary of its own follows
        if boundary.done is not None:
            skipped = "(skipped)" if getattr(boundary, "skipped", False) else ""
            done.append(">".join((*boundary.inside, boundary.done)) + skipped)
        before = boundary
    assert list(updates) == sorted(updates), "the number of an update never falls"
    return [" ".join(done) for done in updates.values() if done]


def passing_over_evaluation(updates: list[str]) -> list[str]:
    """The same with evaluations in a row as one, as `n` passes over them.

    Between a forward and its backward it does not: the loss may begin where an evaluation ends.
    """
    passed = []
    for update in updates:
        kept: list[str] = []
        pending = False
        for phase in update.split():
            name = phase.split(">")[-1]
            pending = (pending or name == "forward") and name != "backward"
            if not (name == "eval" and not pending and kept and kept[-1] == phase):
                kept.append(phase)
        passed.append(" ".join(kept))
    return passed
