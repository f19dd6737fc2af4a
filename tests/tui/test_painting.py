"""A key repaints what it changes, once. Counted at 160x50, where seven panels are on the screen at the same time."""

from __future__ import annotations

from collections import Counter

import pytest
from tui.stage import Stage, stage

from stepdbg.tui import conversation
from stepdbg.tui.app import StepdbgApp
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.panel import Panel

WIDE = (160, 50)
SEEN = ("model", "tensor", "effects", "optimizer", "loss", "source", "output")
"""The panels in front at first."""

ROUNDS = 4
"""Times in a row that every widget has dealt with its messages, and nothing has come of it."""


class Painted:
    """How often the whole screen was painted, and how often each part of it was drawn."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.paints = 0
        self.drawn: Counter[str] = Counter()
        paint, repaint = StepdbgApp.paint, Sheet.repaint

        def counted_paint(app: StepdbgApp) -> None:
            self.paints += 1
            paint(app)

        def counted_repaint(sheet: Sheet) -> None:
            self.drawn[sheet.panel if isinstance(sheet, Panel) else str(sheet.id)] += 1
            repaint(sheet)

        patch.setattr(StepdbgApp, "paint", counted_paint)
        patch.setattr(Sheet, "repaint", counted_repaint)

    async def quiet(self, here: Stage) -> None:
        """Until nothing is to come any more, nor to be painted: a layout may lead to a question, that to an answer."""
        pace, hub = here.app._pace, here.app.hub
        calm = [False] * ROUNDS

        def over() -> bool:
            panels = here.app.panel_layout.visible()
            drawn = all(panel.size.height and panel._drawn_for == tuple(panel.size) for panel in panels)
            calm[:] = [*calm[1:], drawn and pace._timer is None and not hub.busy and not hub.arriving]
            return all(calm)

        await here.until(over, "the last painting")

    async def after(self, here: Stage, key: str, paints: int) -> Counter[str]:
        """What a key has had drawn, when the screen has been painted so often, and nothing is to come any more."""
        await self.quiet(here)
        self.paints = 0
        self.drawn.clear()
        await here.press(key)
        await here.until(lambda: self.paints >= paints, f"{paints} paintings after {key}")
        await self.quiet(here)
        assert self.paints == paints, key
        return self.drawn


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> Painted:
    """Counts. A step is not shown for taking long, nor without its answers, however slow the machine is."""
    for name in ("FLICKER", "AHEAD", "REST"):
        monkeypatch.setattr(conversation, name, 1_000.0)
    return Painted(monkeypatch)


async def test_a_cursor_key_draws_the_panel_that_it_moves_in_and_the_footer(painted: Painted) -> None:
    async with stage(WIDE) as here:
        for key in ("down", "down", "up"):
            assert await painted.after(here, key, 1) == {"model": 1, "footer": 1}


async def test_a_key_that_does_nothing_draws_the_footer_to_say_why_and_the_next_one_takes_that_away(
    painted: Painted,
) -> None:
    async with stage(WIDE) as here:
        assert await painted.after(here, "D", 0) == {"footer": 1}
        assert await painted.after(here, "D", 0) == {}
        assert await painted.after(here, "right", 0) == {"footer": 1}


async def test_going_to_another_panel_draws_that_one_the_one_before_and_the_footer(painted: Painted) -> None:
    async with stage(WIDE) as here:
        assert await painted.after(here, "3", 1) == {"model": 1, "effects": 1, "footer": 1}
        assert await painted.after(here, "0", 1) == {"effects": 1, "top": 1, "footer": 1}
        assert await painted.after(here, "right", 0) == {"top": 1}


async def test_a_step_paints_twice_what_is_in_focus_with_its_answers_and_then_the_rest(
    painted: Painted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(WIDE) as here:
        await painted.quiet(here)
        monkeypatch.setattr(conversation, "TOGETHER", 1_000.0)
        for _ in range(3):
            drawn = await painted.after(here, "n", 2)
            assert set(drawn) == {*SEEN, "top", "footer"}
            assert max(drawn.values()) == 2
            assert drawn["tensor"] == drawn["optimizer"] == 1, "they show answers: at first there are none"
