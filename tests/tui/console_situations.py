"""Where the actions of the console are tried: something typed, something that runs, something answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tui.scene import Scene

from stepdbg.protocol.messages import Evaluated
from stepdbg.tui.actions.registry import BY_ID
from stepdbg.tui.records.exchanges import Exchange, Replied, Typed
from stepdbg.tui.state.reducer import reduced


async def typing(scene: Scene, words: str = "") -> None:
    await scene.app.do(BY_ID["console"])
    line = scene.here.panel("console").input
    line.past[:] = ["epoch"]
    line.insert(words)
    await scene.settle()


def typed(words: str) -> Callable[[Scene], Awaitable[None]]:
    return lambda scene: typing(scene, words)


async def evaluating(scene: Scene) -> None:
    scene.app.snapshot = reduced(scene.app.snapshot, Typed(Exchange("while True: pass", "train:7"), 0))
    scene.app.paint()


async def evaluated(scene: Scene) -> None:
    await evaluating(scene)
    scene.app.snapshot = reduced(scene.app.snapshot, Replied(Evaluated("42"), 0))
    await scene.at("console")
