"""What effects come to, in words: how many objects of a kind met which fate, and which."""

from __future__ import annotations

from itertools import takewhile

from stepdbg.protocol.messages import Effects
from stepdbg.tui.drawing.numbers import plural

FEW = 3
"""The most names that are spelled out."""
NOUNS = {
    "parameter": ("parameter", "parameters"),
    "grad": ("gradient", "gradients"),
    "buffer": ("buffer", "buffers"),
    "state": ("entry of optimizer state", "entries of optimizer state"),
    "hyperparameter": ("hyperparameter", "hyperparameters"),
    "loss": ("loss", "losses"),
    "output": ("output", "outputs"),
    "batch": ("tensor of the batch", "tensors of the batch"),
    "rng": ("random state", "random states"),
}
PASSIVE = {"changed": "changed", "touched": "written with the same values", "created": "new", "freed": "freed"}
VERBS = {"changed": "changed", "touched": "wrote the same values into", "created": "created", "freed": "freed"}


def counted(effects: Effects, kind: str, *what: str) -> int:
    """How many objects of that kind met one of these fates."""
    return sum(one.count for one in effects.counts if one.kind == kind and one.what in what)


def unfit(effects: Effects, kind: str, *what: str) -> str:
    """`, 4 of them NaN`: what of those is not finite; empty where all is."""
    counts = [one for one in effects.counts if one.kind == kind and one.what in what]
    total = sum(one.count for one in counts)
    found = [(sum(one.nan for one in counts), "NaN"), (sum(one.infinite for one in counts), "infinite")]
    parts = [f"{number} of them {word}" if total > 1 else f"which is {word}" for number, word in found if number]
    return f", {' and '.join(parts)}" if parts else ""


def names_of(effects: Effects, kind: str, *what: str) -> list[str]:
    """The objects of that kind that met one of these fates, as far as they are named."""
    return [one.object for one in effects.named if one.kind == kind and one.what in what]


def listed(effects: Effects, kind: str, *what: str) -> str:
    """`8 parameters`, or their names when they are few."""
    number = counted(effects, kind, *what)
    names = names_of(effects, kind, *what)
    if 0 < number <= FEW and len(names) == number:
        return names[0] if number == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return plural(number, *NOUNS[kind])


def others(effects: Effects, *known: str) -> str:
    """What a phase did beyond what it is for; random states alone are not worth a word."""
    rest = tuple(one for one in effects.counts if one.kind not in (*known, "rng", "output", "batch", "loss"))
    return f"; it also {everything(Effects(effects.basis, rest, effects.named))}" if rest else ""


def everything(effects: Effects) -> str:
    """All that happened: `created 2 gradients, changed 1 buffer`."""
    parts = [
        f"{VERBS[one.what]} {listed(effects, one.kind, one.what)}{unfit(effects, one.kind, one.what)}"
        for one in effects.counts
        if one.count > 0
    ]
    return ", ".join(parts) if parts else "changed nothing that stepdbg watches"


def holder_of(names: list[str]) -> str:
    """What holds all of these: what their names begin with, up to a dot; empty where they have nothing in common."""
    paths = [name.removesuffix(".grad").split(".")[:-1] for name in names]
    common = takewhile(lambda words: len(set(words)) == 1, zip(*paths, strict=False))
    return ".".join(words[0] for words in common)
