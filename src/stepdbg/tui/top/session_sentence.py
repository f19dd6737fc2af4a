"""The lines under the rail: in a sentence what the session is at, and what looks like a mistake."""

from __future__ import annotations

import signal

from stepdbg.tui.drawing.lines import UNICODE, Glyphs, plain, text
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.words.goal import goal, on_the_way
from stepdbg.tui.words.sentence import sentence


def exit_words(status: int | None) -> str:
    """`with status 1`, `by SIGKILL`."""
    if status is None:
        return ""
    if status >= 0:
        return f"with status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"


def session_sentence(snapshot: Snapshot, glyphs: Glyphs = UNICODE, *, brief: bool = False) -> str:
    """The sentence under the rail; where it is to be `brief`, without what an exception says at length."""
    session = snapshot.session
    stop = snapshot.stop
    state = snapshot.state
    if state == "lost" or snapshot.ended:
        why = snapshot.lost or "its connection has ended, and nobody knows how"
        return f"{why}; what was seen last stays to be read. Press {snapshot.key('quit')} to leave"
    waiting = _waiting(snapshot)
    if state == "exited" and not snapshot.over:
        return f"rank {snapshot.rank} has ended, others have not; press {snapshot.key('rank')} to show the next"
    if state == "exited":
        again = f", {snapshot.key('restart')} to run it again" if session.terminal else ""
        leave = snapshot.key("quit")
        how = f"{session.script} ended {exit_words(session.exit_status)}"
        if stop is not None and stop.failure is not None:
            return f"{sentence(stop, glyphs=glyphs, brief=brief)}; {how}. Press {leave} to leave{again}"
        said = last_line(snapshot) if session.exit_status and not stop else ""
        if said:
            return f"{how} before it trained: {said} ({leave} to leave{again})"
        seen = "what was seen last stays to be read" if stop else "it never trained: no training loop was seen"
        return f"{how}; {seen}. Press {leave} to leave{again}"
    if snapshot.asking:
        asked = last_line(snapshot)
        said = f": {asked}" if asked else ""
        return f"the script waits for a line of input{said} - press {snapshot.key('input')} to type it"
    if state == "starting":
        output = snapshot.key("panel_output")
        return f"training stops before its first phase; the output of the script is in panel {output}"
    if state == "running" and waiting:
        return (
            f"rank {snapshot.rank} runs, {waiting}; a collective call (in a distributed backward) waits for all. "
            f"Press {snapshot.key('rank')} to show the next rank, "
            f"then {snapshot.key('next')} or {snapshot.key('continue')}"
        )
    if state == "running" and snapshot.ending:
        output = f", its output is in panel {snapshot.key('panel_output')}" if session.terminal else ""
        return f"nothing trains any more; what is left of the script runs to its end{output}"
    if state == "running" and _pausing(snapshot):
        again = snapshot.key("pause")
        return f"training pauses at the next boundary between two phases; press {again} again to see where it hangs"
    if state == "running":
        where, pause = f" to {there}" if (there := goal(snapshot)) else "", snapshot.key("pause")
        return f"training runs{where}; press {pause} to pause it at the next boundary between two phases"
    if stop is None:
        return ""
    words = sentence(stop, model_name(snapshot), snapshot.key("next"), glyphs, brief=brief)
    if snapshot.news == "warning":
        words = f"! a warning was printed, see Output ({snapshot.key('panel_output')}). {words}"
    if stop.reason == "nan" and stop.detail:
        words = plain(stop.detail)
    elif stop.reason == "breakpoint" and stop.detail and (stop.inner is None or stop.inner.unit != "line"):
        words = f"{stop.detail}: {words}"
    return f"{on_the_way(snapshot)}{words}" if state == "paused" else words


def suspicion(snapshot: Snapshot) -> str:
    """The line under the sentence, where at this stop something looks like a mistake."""
    stop = snapshot.stop
    return plain(stop.suspicion) if stop is not None and (snapshot.paused or snapshot.looking_back) else ""


def last_line(snapshot: Snapshot) -> str:
    """The last line that the script has printed."""
    lines = (plain(text(line)).strip() for line in reversed(snapshot.output.lines))
    return next((line for line in lines if line), "")


def model_name(snapshot: Snapshot) -> str:
    """What the user calls the model, where there is one and it is known."""
    models = snapshot.models
    return models[0][0] if len(models) == 1 else ""


def _pausing(snapshot: Snapshot) -> bool:
    """Whether the rank that is looked at was asked to pause, and has not yet."""
    return any(one.pausing for one in snapshot.session.ranks if one.rank == snapshot.rank)


def _waiting(snapshot: Snapshot) -> str:
    """`rank 1 is paused`, `ranks 1 and 3 are paused`; empty where no other rank is paused."""
    waiting = [one for one in snapshot.session.ranks if one.state == "paused" and one.rank != snapshot.rank]
    paused = [str(one.rank) for one in waiting]
    if len(paused) == 1:
        failure = waiting[0].stop.failure if waiting[0].stop is not None else None
        return f"rank {paused[0]} is paused{f' on {plain(failure.type)}' if failure is not None else ''}"
    if not paused:
        return ""
    if len(paused) > 4:
        return f"{len(paused)} others are paused"
    return f"ranks {', '.join(paused[:-1])} and {paused[-1]} are paused"
