"""Of a large model the screen asks for what it shows, and a filter that is typed fast is asked for once or twice."""

from __future__ import annotations

import asyncio
from typing import cast

from tui.stage import Stage, stage

from stepdbg.protocol.messages import EffectNames, ListEffects, ListObjects, Objects, Query, Result, Summarise
from stepdbg.tui.panels.effects.panel import EffectsPanel
from stepdbg.tui.panels.model.panel import ModelPanel
from stepdbg.tui.state.questions import Asks

BLOCKS = 600


class Between:
    """Stands between the screen and the hub: notes each question and answer, and may hold back those of a filter."""

    def __init__(self, here: Stage) -> None:
        assert here.app.hub.questions is not None
        self._connection: Asks = here.app.hub.questions._connection
        here.app.hub.questions._connection = self
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[tuple[Query, Result]] = []
        self.filters: list[str] = []

    async def ask(self, query: Query, rank: int = 0) -> Result:
        if isinstance(query, ListObjects) and query.filter:
            self.filters.append(query.filter)
            await self.open.wait()
        result = await self._connection.ask(query, rank)
        self.asked.append((query, result))
        return result


async def answered(here: Stage) -> None:
    await here.pilot.pause()
    await here.until(lambda: here.app.hub.questions and not here.app.hub.questions.busy, "the answers")
    await here.pilot.pause()


async def test_letters_are_seen_before_there_is_an_answer_and_only_the_newest_filter_is_asked_for_then() -> None:
    async with stage((100, 30), recording="large") as here:
        between = Between(here)
        between.open.clear()
        line = "blocks.123.weight"
        await here.press("1", "slash", *line)
        await here.until_seen(f"/ {line}")
        assert between.filters == ["b"], "while one filter is being answered another one is asked for"
        between.open.set()
        await here.until_seen(f"/ {line}", "1 tensor ")
        assert between.filters == ["b", line]
        await here.press(*["backspace"] * 8)
        await answered(here)
        await here.until_seen("/ blocks.12", "tensors")
        assert between.filters[-1] == "blocks.12"


async def test_rows_and_figures_are_asked_for_by_windows_wherever_one_scrolls() -> None:
    async with stage((100, 30), recording="large") as here:
        between = Between(here)
        panel = cast("ModelPanel", here.panel("model"))
        await here.press("1", "z", "plus")
        await answered(here)
        for key in ("end", "pageup", "pageup", "home", "pagedown", "pagedown", "down", "end"):
            await here.press(key)
            await answered(here)
            drawn = panel.text().splitlines()
            assert not any(line.strip() == "…" for line in drawn), f"rows are missing after {key}"
        windows = [result for _, result in between.asked if isinstance(result, Objects)]
        assert len(windows) > 3
        assert all((window.total or 0) > 2 * BLOCKS for window in windows[1:])
        assert max(len(window.rows) for window in windows) <= 3 * panel.body_rows
        figures = [query.objects for query, _ in between.asked if isinstance(query, Summarise)]
        assert figures
        assert max(map(len, figures)) <= panel.body_rows


async def test_the_names_behind_a_count_are_asked_for_by_windows_and_all_can_be_gone_to() -> None:
    async with stage((100, 30), recording="large") as here:
        await here.step_to("step")
        panel = cast("EffectsPanel", here.panel("effects"))
        between = Between(here)
        await here.press("3", "enter")
        await here.until_seen("model.fc1.weight.grad")
        stop = here.app.snapshot.stop
        assert stop is not None
        assert stop.effects is not None
        total = sum(one.count for one in stop.effects.counts if one.kind == "grad")
        assert total == BLOCKS + 4
        assert len(stop.effects.named) < total
        first = panel.chosen()
        for key in ("end", "pageup", "home", "pagedown", "end"):
            await here.press(key)
            await answered(here)
            assert panel.chosen(), f"no name under the cursor after {key}"
        assert panel.cursor == total - 1
        assert panel.chosen() not in ("", first)
        windows = [result for _, result in between.asked if isinstance(result, EffectNames)]
        assert {window.total for window in windows} == {total}
        assert max(len(window.effects) for window in windows) <= 3 * panel.body_rows
        asked = [query for query, _ in between.asked if isinstance(query, ListEffects)]
        assert len(asked) <= 6
        last = panel.chosen()
        await here.press("enter")
        assert here.tensor.object == last


async def test_of_a_past_phase_the_names_can_be_listed_too() -> None:
    async with stage((100, 30), recording="large") as here:
        await here.step_to("step")
        await here.step()
        panel = cast("EffectsPanel", here.panel("effects"))
        await here.press("3")
        await answered(here)
        await here.press("up", "enter")
        await here.until(lambda: "model.fc1.weight.grad" in panel.text(), "the names of backward")
        await here.press("end")
        await answered(here)
        assert panel.chosen().endswith(".grad")
