"""An edit's expression that never ends, or that raises what would end training, does neither."""

from __future__ import annotations

from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import move, step_to


def test_an_endless_edit_is_interrupted_and_a_keyboard_interrupt_is_the_edits_own(place: Place) -> None:
    terminal = place.stepdbg(*warm.option(), "--fresh", "--no-hints", DEMOS / "plain.py", size=(100, 30))
    step_to(terminal, "backward")
    terminal.press("1")
    terminal.wait_for("weight")
    terminal.press("e")
    terminal.wait_for("an expression")
    terminal.type("[0 for _ in iter(int, 1)]\r")
    terminal.wait_for("ctrl+c: interrupt")
    terminal.press("ctrl+c")
    terminal.wait_for("the expression was interrupted; nothing was changed")
    for name in ("KeyboardInterrupt", "GeneratorExit", "SystemExit"):
        terminal.type("\x15" + f"(_ for _ in ()).throw({name}('{name[:4].lower()}er'))\r")
        terminal.wait_for(f"{name}: {name[:4].lower()}er")
    terminal.press("\x1b[27u")
    terminal.wait_for_no("an expression")
    assert move(terminal, "n").next == "step"
