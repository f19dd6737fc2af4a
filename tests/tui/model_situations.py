"""The actions of the Model panel alone: folds, order, filter."""

from __future__ import annotations

from tui.scene import Scene, names_of
from tui.situations import Played, at


async def on_a_module(scene: Scene) -> None:
    await scene.at("model")
    scene.here.panel("model").cursor = names_of(scene.app).index("model.fc1")
    await scene.settle()


async def folded(scene: Scene) -> None:
    await scene.at("model")
    scene.here.panel("model").fold_all(fold=True)
    await scene.settle()


async def typing_a_filter(scene: Scene) -> None:
    await scene.at("model")
    scene.here.panel("model").find()
    await scene.here.press(*"fc2")
    await scene.settle()


OF_THE_MODEL: dict[str, Played] = {
    "fold": Played(on_a_module, lambda scene: scene.here.panel("model")._toggled),
    "fold_all": Played(at("model"), lambda scene: scene.here.panel("model")._base == "closed"),
    "unfold_all": Played(folded, lambda scene: scene.here.panel("model")._base == "open"),
    "sort": Played(at("model"), lambda scene: scene.here.panel("model").order != "tree"),
    "find": Played(at("model"), lambda scene: scene.here.panel("model").typing),
    "find_tensor": Played(at("tensor"), lambda scene: scene.here.panel("model").typing),
    "find_done": Played(typing_a_filter, lambda scene: not scene.here.panel("model").typing),
    "find_clear": Played(typing_a_filter, lambda scene: not scene.here.panel("model").filter),
}
