"""Updates, epochs and phases are counted as the author of a loop would, looked at or passing by."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path

import pytest
from scripts.running import course
from tracer.bare_hub import debuggee, write
from tracer.loop_of_an_author import PRELUDE
from tracer.loops_of_authors import LOOPS as LOOPS_OF_ONE
from tracer.loops_of_several_models import LOOPS_OF_SEVERAL

from stepdbg.protocol import messages as m
from stepdbg.protocol.page import Page

LOOPS = LOOPS_OF_ONE | LOOPS_OF_SEVERAL


@pytest.mark.parametrize("kind", LOOPS)
def test_updates_are_what_the_author_of_the_loop_would_count(kind: str, tmp_path: Path) -> None:
    loop = LOOPS[kind]
    script = write(tmp_path, PRELUDE + textwrap.dedent(loop.code))
    with debuggee(script, go="continue", trace=m.Tracing()) as training:
        list(training.stops("continue"))
        boundaries = [traced.boundary for traced in training.traced]
        assert training.end()[0] == 0
    assert course(boundaries) == loop.updates
    epochs = dict.fromkeys(boundary.epoch for boundary in boundaries if boundary.epoch is not None)
    assert tuple(epochs) == loop.epochs
    assert [boundary.index for boundary in boundaries] == list(range(1, len(boundaries) + 1))
    if len({update.replace("eval ", "").removesuffix(" eval") for update in loop.updates}) == 1:
        foretold = [
            (at.next, then.done) for at, then in itertools.pairwise(boundaries) if at.predicted and at.update > 1
        ]
        assert [guess for guess, _ in foretold] == [came for _, came in foretold], "each update is like the one before"


@pytest.mark.parametrize("kind", LOOPS)
def test_a_free_run_ends_in_the_same_update_and_epoch(kind: str, tmp_path: Path) -> None:
    loop = LOOPS[kind]
    script = write(tmp_path, PRELUDE + textwrap.dedent(loop.code))
    with debuggee(script, go="continue") as training:
        (end,) = training.stops("continue")
        assert training.hello is not None
        _, points = Page(training.folder / training.hello.page).losses_since(0)
        assert training.end()[0] == 0
    assert [update for update, _, _ in points] == [
        number
        for number, phases in enumerate(loop.updates, start=1)
        for phase in phases.split()
        if phase.split(">")[-1] == "backward"
    ]
    assert end.boundary.update == len(loop.updates)
    assert end.boundary.epoch == (loop.epochs[-1] if loop.epochs else None)
