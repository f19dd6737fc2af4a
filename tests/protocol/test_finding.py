"""What a filter finds, against a filter that looks at every row anew; and how little is looked at as it is typed."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdbg.errors import FilterError
from stepdbg.listing.filters import Filter, understood
from stepdbg.listing.search import TENSORS
from stepdbg.listing.tree import Marked, Tree
from stepdbg.protocol.messages import Effect, ListObjects, ObjectRow, Order

LABELS = ("a", "ab", "abc", "b", "bc", "Ab")
CLASSES = ("Linear", "LinearNet", "Block", "Conv2d", "")
DTYPES = ("float32", "bfloat16", "int64")


class Facts:
    """Of each tensor something else, by its name."""

    def figures(self, names: Sequence[str], order: Order) -> list[float | None]:
        return [(None, 1.0, float("nan"))[hash_of(name + order) % 3] for name in names]

    def has_grad(self, name: str) -> bool:
        return hash_of(name) % 2 == 0

    def marks(self) -> Marked:
        return Marked(tuple(Effect(f"m.{label}.w", "parameter", "changed") for label in LABELS))


def hash_of(name: str) -> int:
    return sum(map(ord, name))


def rows_under(draw: st.DrawFn, name: str, depth: int) -> list[ObjectRow]:
    """A module: its own tensors, then the modules in it."""
    found = [ObjectRow(name, name.rpartition(".")[2], "module" if depth else "model", depth, draw(classes))]
    for label in draw(labels):
        also = (f"{name}.tied.{label}",) if draw(st.booleans()) else ()
        node = draw(st.sampled_from(("parameter", "buffer")))
        found.append(
            ObjectRow(
                f"{name}.{label}.w",
                label,
                node,
                depth + 1,
                dtype=draw(dtypes),
                trainable=draw(st.booleans()),
                also=also,
            )
        )
    if depth < 3:
        for label in draw(labels):
            found += rows_under(draw, f"{name}.{label}", depth + 1)
    return found


classes, dtypes = st.sampled_from(CLASSES), st.sampled_from(DTYPES)
labels = st.lists(st.sampled_from(LABELS), max_size=3, unique=True)
words = st.sampled_from(
    ("ab", "m.a", "a.b", "tied", "*c.w", "a?.b", "class:Linear", "class:block", "class:Lin", "dtype:bf16", "dtype:f",
     "frozen", "changed", "grad:none", "nan", "name:B", "W")
)  # fmt: skip


@st.composite
def trees(draw: st.DrawFn) -> list[ObjectRow]:
    return rows_under(draw, "m", 0)


def naive(rows: Sequence[ObjectRow], wanted: Filter, facts: Facts) -> list[str]:
    """By the meaning of each word, row by row."""
    found = []
    around: list[str] = []
    for row in rows:
        if row.node not in TENSORS:
            del around[row.depth :]
            around.append(row.cls.lower())
            continue
        names = [name.lower() for name in (row.name, *row.also)]
        inside = around[: row.depth]
        figures = facts.figures([row.name], "norm") + facts.figures([row.name], "grad")
        parameter = row.node == "parameter"
        holds = [
            *(any(fnmatchcase(name, f"*{word}*") for name in names) for word in wanted.names),
            *(bool(inside) and (inside[-1].startswith(cls) or cls in inside) for cls in wanted.classes),
            *(row.dtype.startswith(dtype) for dtype in wanted.dtypes),
            not wanted.no_grad or (parameter and not facts.has_grad(row.name)),
            not wanted.frozen or (parameter and not row.trainable),
            not wanted.changed or row.name in facts.marks(),
            not wanted.nan or any(figure is not None and figure != figure for figure in figures),
        ]
        if all(holds):
            found.append(row.name)
    return found


def found_in(tree: Tree, words: str) -> list[str]:
    answer = tree.answer(ListObjects(words), 1, 1, Facts())
    assert answer.matches == sum(row.node in TENSORS for row in answer.rows)
    return [row.name for row in answer.rows if row.node in TENSORS]


@settings(deadline=None, max_examples=200)
@given(trees(), st.lists(words, min_size=1, max_size=4), st.data())
def test_letter_by_letter_the_same_is_found_as_by_a_filter_that_looks_at_every_row(
    rows: list[ObjectRow], typed: list[str], data: st.DataObject
) -> None:
    tree = Tree(rows)
    line = " ".join(typed)
    lengths = [*range(1, len(line) + 1), *data.draw(st.lists(st.integers(0, len(line)), max_size=6))]
    for length in lengths:  # as it is typed, and then as it is corrected
        try:
            wanted = understood(line[:length])
        except FilterError:
            continue
        if line[:length].strip():
            assert found_in(tree, line[:length]) == naive(rows, wanted, Facts())


def test_a_name_is_found_by_its_parts_or_a_pattern_whatever_its_case() -> None:
    rows = [ObjectRow("model", "model", "model", 0, "Net")]
    for name in ("Layers.3.bias", "layers.31.bias", "embedding.weight"):
        also = ("model.head.weight",) if "embedding" in name else ()
        rows.append(ObjectRow(f"model.{name}", name, "parameter", 1, also=also))
    tree = Tree(rows)
    assert found_in(tree, "LAYERS bias") == ["model.Layers.3.bias", "model.layers.31.bias"]
    assert found_in(tree, "layers.*.bias") == ["model.Layers.3.bias", "model.layers.31.bias"]
    assert found_in(tree, "layers.?.bias") == ["model.Layers.3.bias"]
    assert found_in(tree, "head") == ["model.embedding.weight"]


BLOCKS = 2_000


def large() -> Tree:
    rows = [ObjectRow("m", "m", "model", 0, "Net")]
    for block in range(BLOCKS):
        rows.append(ObjectRow(f"m.{block}", str(block), "module", 1, "Block"))
        rows.append(ObjectRow(f"m.{block}.weight", "weight", "parameter", 2, dtype="float32"))
    return Tree(rows)


def test_a_filter_that_says_more_looks_only_at_what_the_one_before_has_found() -> None:
    tree = large()
    searched = []
    for length in range(1, len("m.123.weight") + 1):
        found_in(tree, "m.123.weight"[:length])
        searched.append(tree.index.searched)
    assert searched[0] == BLOCKS
    assert searched[4] == len([block for block in range(BLOCKS) if str(block).startswith("12")])
    assert searched[-1] <= 11
    found_in(tree, "m.123.weight dtype:f32")
    assert tree.index.searched <= 11


@pytest.mark.parametrize(("before", "after"), [("m.12", "m.13"), ("class:Block", "class:Bl"), ("*9.w", "weight")])
def test_a_filter_that_says_something_else_looks_at_all(before: str, after: str) -> None:
    tree = large()
    found_in(tree, before)
    found_in(tree, after)
    assert tree.index.searched == BLOCKS


def test_the_same_rows_at_another_window_are_not_searched_again() -> None:
    tree = large()
    found_in(tree, "weight")
    tree.index.searched = 0
    answer = tree.answer(ListObjects("weight", first=3_000, count=30), 1, 1, Facts())
    assert (len(answer.rows), answer.matches, tree.index.searched) == (30, BLOCKS, 0)
