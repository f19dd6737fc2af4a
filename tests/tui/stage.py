"""The app on a stage: a real hub in this process, a fake debuggee in a thread, a pilot at the keys."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from harness.deadline import deadline
from hub.room import hub_here
from textual._compositor import Compositor
from textual.pilot import Pilot

from stepdbg.hub.process.connections import ClientLink
from stepdbg.hub.process.server import Hub
from stepdbg.testing import FakeDebuggee
from stepdbg.tui.app import StepdbgApp
from stepdbg.tui.layout.bars import Footer
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.graph.panel import GraphPanel
from stepdbg.tui.panels.tensor.panel import TensorPanel
from stepdbg.tui.settings.config import Config
from stepdbg.tui.top.top import Top

SIZES = ((80, 24), (160, 50))
DEADLINE = deadline(60)


class Stage:
    """What a test looks at and acts on."""

    def __init__(self, app: StepdbgApp, pilot: Pilot[int], hub: Hub, fake: FakeDebuggee) -> None:
        self.app, self.pilot, self.hub, self.fake = app, pilot, hub, fake

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Let the app go on until `holds`; fails at the deadline with the screen."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not holds():
                    await self.pilot.pause(0.01)
        except TimeoutError as error:
            raise AssertionError(f"never came: {what}\n{self.text}") from error

    async def until_seen(self, *words: str) -> None:
        """Until all these words are on the screen."""
        await self.until(lambda: all(word in self.text for word in words), f"{words} on the screen")

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until they are dealt with."""
        await self.pilot.press(*keys)
        await self.until(lambda: self.app.key_queue.idle or self.app._exit, f"the end of {keys}")

    async def step(self, key: str = "n") -> None:
        """Press a key that moves training, and wait for the next stop on the screen."""
        before = self.app.snapshot.boundary
        await self.pilot.press(key)
        await self.until(
            lambda: self.app.snapshot.paused and self.app.snapshot.boundary > before, f"a stop after {key}"
        )
        await self.until(lambda: self.app.hub.questions and not self.app.hub.questions.busy, "the answers")

    async def step_to(self, phase: str) -> None:
        """Press `n` until that phase comes next."""
        for _ in range(12):
            stop = self.app.snapshot.stop
            if stop and stop.boundary.next == phase:
                return
            await self.step()
        raise AssertionError(f"{phase} never came next")

    async def hub_dies(self) -> None:
        """As one that is killed: its connections close, its folder stays. Those to processes are left open, since
        this hub, which lives on, would take their end for the target's and remove the folder.
        """
        for link in list(self.hub._links):
            if isinstance(link, ClientLink):
                link.close()

    @property
    def text(self) -> str:
        """The whole screen as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    @property
    def top(self) -> Top:
        return self.app.panel_layout.top

    @property
    def footer(self) -> str:
        return self.app.screen_stack[0].query_one(Footer).text()

    def panel(self, name: str) -> Panel:
        return self.app.panel_layout.at(name)

    @property
    def tensor(self) -> TensorPanel:
        return self.app.panel_layout.panel(TensorPanel)

    @property
    def graph(self) -> GraphPanel:
        return self.app.panel_layout.panel(GraphPanel)

    @property
    def graphed(self) -> bool:
        """Whether the graph stands in the place of the tensor."""
        return self.panel("tensor") is self.graph

    async def click_on(self, words: str, *, start: bool = False) -> None:
        """Click on the middle (or the start) of the first place of the screen where these words stand."""
        await self.until_seen(words)
        y, line = next((y, line) for y, line in enumerate(self.text.splitlines()) if words in line)
        await self.pilot.click(offset=(line.index(words) + (0 if start else len(words) // 2), y))


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """What Textual (8.2) does for a test that needs it no more, and two thirds of its time go to.

    Without a terminal each frame is rendered and let go: here one is rendered where a test reads it, and what a
    terminal gets is for `tests/e2e`. The pilot sleeps 20 ms and more around each of its events, until the process
    seems idle: here every effect is waited for.
    """
    render = Compositor.render_update

    async def go_on(*_: float) -> None:
        await asyncio.sleep(0)

    def rendered_if_read(self: Compositor, full: bool = False, **how: Any) -> Any:
        if full:
            return render(self, full, **how)
        self._dirty_regions.clear()
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compositor, "render_update", rendered_if_read)
        for module in ("pilot", "app"):
            patch.setattr(f"textual.{module}.wait_for_idle", go_on)
        yield


@contextlib.asynccontextmanager
async def stage(
    size: tuple[int, int] = (80, 24),
    *,
    ascii_only: bool = False,
    ranks: int = 1,
    config: Config | None = None,
    notices: Sequence[str] = (),
    guided: bool = False,
    **how: object,
) -> AsyncIterator[Stage]:
    """The app at its first stop. `how` goes to each of the fake debuggees, `readonly` and `kept` to the session."""
    session = {name: how.pop(name) for name in ("readonly", "kept") if name in how}
    async with hub_here(**session) as hub:
        app = StepdbgApp(hub.folder, ascii_only=ascii_only, config=config, notices=notices, guided=guided)
        with at_once():
            async with app.run_test(size=size) as pilot:
                fakes = [
                    FakeDebuggee(hub.folder, rank=rank, world=ranks, **how).start()  # type: ignore[arg-type]
                    for rank in range(ranks)
                ]
                here = Stage(app, pilot, hub, fakes[0])
                states = lambda: [rank.state for rank in app.snapshot.session.ranks]  # noqa: E731
                await here.until(lambda: states() == ["paused"] * ranks, "every rank's first stop")
                await here.until(
                    lambda: app.snapshot.paused and app.focused is not None, "the first stop, on the panels"
                )
                await here.until(lambda: app.hub.questions and not app.hub.questions.busy, "the first answers")
                yield here
                for fake in fakes:
                    fake.vanish()
