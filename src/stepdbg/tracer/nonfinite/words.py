"""The first bad value in a sentence: what it is, what produced it, and whose rows of the batch are concerned."""

from __future__ import annotations

import os

from stepdbg.protocol.messages import BadValue, Producer


def in_words(bad: BadValue) -> str:
    """`the output of model is NaN (3 of 64 elements, first at [3, 7]): made by div in model.norm (train.py:23): …`."""
    what = "NaN" if bad.kind == "nan" else "infinite"
    words = (
        f"{bad.object} is {what}" if bad.of <= 1 else f"{bad.object} holds {what if bad.kind == 'nan' else 'infinity'}"
    )
    if bad.of > 1:
        words += f" ({bad.elements} of {bad.of} elements, the first at [{', '.join(map(str, bad.at))}])"
    if bad.more:
        one, several = ("is", "are") if bad.of <= 1 else ("does", "do")
        words += f", and so {one if bad.more == 1 else several} {bad.more} more"
    if bad.rows:
        words += f"; {_rows(bad)}"
    if bad.producer is not None:
        return f"{words}. {producer_in_words(bad.producer)}"
    return f"{words}. Its producer is not known: {bad.unknown}" if bad.unknown else words


def _rows(bad: BadValue) -> str:
    several = len(bad.rows) > 1
    words = f"row{'s' if several else ''} {_listed(bad.rows)} of the batch"
    if bad.samples:
        words += f" (sample{'s' if several else ''} {_listed(bad.samples)} of the data set)"
    return words


def _listed(numbers: tuple[int, ...]) -> str:
    words = [str(one) for one in numbers]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def producer_in_words(producer: Producer) -> str:
    """`Made by div in model.norm (train.py:23): 0 / 0 at [3, 7]`."""
    where = f" in {producer.module}" if producer.module else ""
    if producer.line:
        where += f" ({os.path.basename(producer.file)}:{producer.line})"
    made = "Came in at" if producer.given else "Made by" if producer.certain else "Most likely made by"
    return f"{made} {producer.what}{where}" + (f": {producer.why}" if producer.why else "")
