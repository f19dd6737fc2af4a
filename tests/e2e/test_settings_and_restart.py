"""The real program keeps what belongs to a script, obeys the settings, and runs a script again."""

from __future__ import annotations

from pathlib import Path

from harness import warm
from harness.place import DEMOS, STEPDBG, Place
from harness.stepping import leave, move, shown, step_to, wait_stop

CRASHES = """
import torch
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(3):
    optimizer.zero_grad()
    loss = model(torch.ones(4, 2)).mean()
    loss.backward()
    optimizer.step()
    raise RuntimeError("as it was written")
"""


def test_breakpoints_and_layout_come_back_hints_do_not_and_fresh_begins_without_all(place: Place) -> None:
    (place.home / "config.toml").write_text('theme = "light"\n[keys]\nnext = "f8"\nfinish = "c"\n')
    (place.home / "hints.toml").unlink()
    terminal = place.stepdbg(*warm.option(), DEMOS / "plain.py", size=(100, 30))
    terminal.wait_for("config.toml", "'c' is that of continue too")
    terminal.click_on("config.toml")  # what was said goes
    wait_stop(terminal)
    terminal.wait_for("press F8: data fetches a batch", "H: no hints", "F8 next")
    before = shown(terminal)
    terminal.press("f8")
    terminal.wait_until(lambda: shown(terminal) not in (None, before), "a step by the user's key")
    terminal.wait_for("the rail says what data did")
    terminal.press("H")
    terminal.wait_for_no("no hints")
    terminal.press("b")
    terminal.wait_for("stop before")
    terminal.press("enter")
    terminal.wait_for_no("stop before")
    terminal.press("4", "8")
    terminal.wait_for("1 breakpoint")
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0
    (kept,) = (place.home / "scripts").glob("plain-*.toml")
    assert 'at = "before ' in kept.read_text()

    again = place.stepdbg(*warm.option(), DEMOS / "plain.py", size=(100, 30))
    wait_stop(again)
    again.wait_for("1 breakpoint", "momentum")
    assert "no hints" not in again.text
    leave(again, "stop")
    assert again.wait_exit() == 0

    fresh = place.stepdbg(*warm.option(), "--fresh", DEMOS / "plain.py", size=(100, 30), LANG="C", LC_ALL="C")
    fresh.wait_for("no UTF-8", "LC_ALL=C")
    wait_stop(fresh)
    fresh.press("8")
    fresh.wait_for("No breakpoints")
    assert fresh.text.isascii()
    text = kept.read_text()
    leave(fresh, "stop")
    assert fresh.wait_exit() == 0
    assert kept.read_text() == text


def test_r_runs_the_script_again_after_a_crash_with_what_has_been_mended(place: Place, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(CRASHES)
    terminal = place.stepdbg(script, size=(80, 40), cwd=tmp_path, MARK="kept")
    step_to(terminal, "backward")
    terminal.press("b")
    terminal.wait_for("stop before backward")
    terminal.press("enter")
    terminal.wait_for_no("stop before backward")
    terminal.press("6")
    terminal.wait_for("as it was written")
    terminal.press("c")
    terminal.wait_for("PAUSED on RuntimeError")
    script.write_text(CRASHES.replace("raise RuntimeError(", "print(__import__('os').environ['MARK'], "))
    terminal.press("R")
    terminal.wait_for("STARTING")
    terminal.wait_for("PAUSED before zero_grad", "print(__import__")
    assert move(terminal, "c").next == "backward"
    terminal.press("7")
    terminal.wait_for("empty")
    terminal.press("c")
    terminal.wait_for("kept as it was written")

    listed = place.run(STEPDBG, "ls")
    assert listed.stdout.count("paused") == 1
    terminal.press("R")
    terminal.wait_for("Run train.py again", "ends at update 2")
    terminal.press("enter")
    terminal.wait_for("PAUSED before zero_grad")
    terminal.press("7")
    terminal.wait_for("empty")
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0
    assert terminal.emulator.leftovers() == []
    place.wait_empty()
