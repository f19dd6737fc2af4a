"""Which rows a question for the tree of objects is answered with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from stepdbg.listing.tree import WHOLE, Marked, Marks, Tree
from stepdbg.protocol.messages import Effect, ListObjects, ObjectRow, Objects, Order

NORMS = {"m.a.w": 1.0, "m.a.b": math.nan, "m.b.c.w": 3.0, "m.b.c.b": 2.0, "m.b.mean": None}


class Facts:
    """Of a small model after a backward."""

    def figures(self, names: Sequence[str], order: Order) -> list[float | None]:
        return [NORMS.get(name) if order == "norm" else None for name in names]

    def has_grad(self, name: str) -> bool:
        return not name.startswith("m.a")

    def marks(self) -> Marked:
        return Marked((Effect("m.b.c.w.grad", "grad", "created"), Effect("m.b.mean", "buffer", "changed")))


def tensor(name: str, depth: int, elements: int = 4, **more: object) -> ObjectRow:
    values = {"shape": (elements,), "dtype": "float32", "elements": elements, "trainable": True, **more}
    return ObjectRow(name, name.rpartition(".")[2], "parameter", depth, **values)  # type: ignore[arg-type]


def small() -> Tree:
    tree = Tree(
        [
            ObjectRow("m", "m", "model", 0, "Net"),
            ObjectRow("m.a", "a", "module", 1, "Linear"),
            tensor("m.a.w", 2, also=("m.head.w",)),
            tensor("m.a.b", 2, dtype="bfloat16"),
            ObjectRow("m.b", "b", "module", 1, "Block"),
            ObjectRow("m.b.mean", "mean", "buffer", 2, dtype="float32", elements=1),
            ObjectRow("m.b.c", "c", "module", 2, "Conv2d"),
            tensor("m.b.c.w", 3, elements=9),
            tensor("m.b.c.b", 3, trainable=False),
        ]
    )
    tree.follow_with(
        [ObjectRow(" variables", "now", "group", 0), ObjectRow("x", "x", "variable", 1, "batch", dtype="int64")]
    )
    return tree


def asked(tree: Tree, **query: object) -> Objects:
    return tree.answer(ListObjects(**query), 1, 1, Facts())  # type: ignore[arg-type]


def names(tree: Tree, **query: object) -> list[str]:
    return [row.name.strip() for row in asked(tree, **query).rows]


ALL = ["m", "m.a", "m.a.w", "m.a.b", "m.b", "m.b.mean", "m.b.c", "m.b.c.w", "m.b.c.b", "variables", "x"]


def test_with_nothing_said_all_rows_come_in_the_order_of_the_modules() -> None:
    found = asked(small())
    assert [row.name.strip() for row in found.rows] == ALL
    assert (found.first, found.total, found.models, found.leading, found.parameters) == (
        0, 11, (("m", "Net"),), "m.a.w", 4,
    )  # fmt: skip


def test_what_follows_on_the_models_is_put_in_place_of_what_followed_before() -> None:
    tree = small()
    assert names(tree)[-1] == "x"
    tree.follow_with([])
    assert names(tree) == ALL[:-2]
    assert names(tree, base="closed") == ["m"]


@pytest.mark.parametrize(
    ("base", "toggled", "shown"),
    [
        ("open", ("m.b",), ["m", "m.a", "m.a.w", "m.a.b", "m.b", "variables", "x"]),
        ("closed", (), ["m", "variables"]),
        ("closed", ("m", "m.b.c"), ["m", "m.a", "m.b", "variables"]),
        ("closed", ("m", "m.b", "m.b.c"), ["m", "m.a", "m.b", "m.b.mean", "m.b.c", "m.b.c.w", "m.b.c.b", "variables"]),
    ],
)
def test_a_folded_module_hides_what_is_in_it(base: str, toggled: tuple[str, ...], shown: list[str]) -> None:
    found = asked(small(), base=base, toggled=toggled)
    assert [row.name.strip() for row in found.rows] == shown
    folded = {row.name for row in found.rows if row.folded}
    assert ("m.b" in folded) == ("m.b" in shown and "m.b.mean" not in shown)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("m.a", ["m.a.w", "m.a.b"]),
        ("head", ["m.a.w"]),
        ("class:Linear dtype:bf16", ["m.a.b"]),
        ("class:Block", ["m.b.mean", "m.b.c.w", "m.b.c.b"]),
        ("grad:none", ["m.a.w", "m.a.b"]),
        ("changed", ["m.b.mean", "m.b.c.w"]),
        ("frozen", ["m.b.c.b"]),
        ("nan", ["m.a.b"]),
        ("nan frozen", []),
        ("dtype:int", ["x"]),
    ],
)
def test_a_filter_finds_tensors_and_shows_the_modules_that_lead_to_them(words: str, found: list[str]) -> None:
    answer = asked(small(), filter=words, base="closed")
    assert [row.name for row in answer.rows if row.node in ("parameter", "buffer", "variable")] == found
    assert answer.matches == len(found)
    around = {row.name for row in answer.rows} - set(found) - {" variables"}
    assert around == {name.rsplit(".", cut)[0] for name in found for cut in range(1, name.count(".") + 1)}


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("name", ["m.a.b", "m.a.w", "m.b.c.b", "m.b.c.w", "m.b.mean", "x"]),
        ("norm", ["m.a.b", "m.b.c.w", "m.b.c.b", "m.a.w"]),  # what is not finite comes first
        ("size", ["m.b.c.w", "m.a.w"]),
    ],
)
def test_sorted_rows_are_tensors_with_their_whole_names(order: Order, first: list[str]) -> None:
    rows = asked(small(), order=order).rows
    assert [row.name for row in rows][: len(first)] == first
    assert all(row.label == row.name and row.depth == 0 for row in rows)


def large() -> Tree:
    rows = [ObjectRow("m", "m", "model", 0, "Net")]
    for block in range(WHOLE):
        rows += [ObjectRow(f"m.{block}", str(block), "module", 1, "Block"), tensor(f"m.{block}.w", 2)]
    return Tree(rows)


def test_of_a_large_model_a_window_travels_and_it_opens_with_its_modules_folded() -> None:
    tree = large()
    found = asked(tree, base="auto", first=100, count=30)
    assert found.total == WHOLE + 1
    assert not found.open
    assert [row.name for row in found.rows] == [f"m.{block}" for block in range(99, 129)]
    assert len(asked(tree, first=10**6, count=30).rows) == 30


def test_a_window_is_moved_to_the_row_that_is_wanted_or_to_the_module_that_hides_it() -> None:
    tree = large()
    for base, wanted in (("open", "m.300.w"), ("auto", "m.300")):
        found = asked(tree, base=base, first=0, count=30, around="m.300.w")
        assert found.rows[found.place - found.first].name == wanted
    assert asked(tree, first=0, count=30, around="gone").place == -1


def test_the_facts_of_another_moment_are_asked_for_anew() -> None:
    tree = small()
    facts = Facts()
    query = ListObjects(filter="nan")
    assert tree.answer(query, 1, 1, facts).matches == 1
    facts.figures = lambda names, order: [1.0] * len(names)  # type: ignore[method-assign]
    assert tree.answer(query, 1, 1, facts).matches == 1
    assert tree.answer(query, 1, 2, facts).matches == 0


def test_a_module_tells_of_what_was_done_inside() -> None:
    tree = small()
    marked = Facts().marks()
    assert tree.within("m.b", marked) == Marks("changed", "created", "")
    assert tree.within("m.a", marked) == Marks()
    assert tree.within("m.a.w", marked) is None
