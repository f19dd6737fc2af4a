"""What is typed to find tensors, and what it means."""

from __future__ import annotations

import pytest

from stepdbg.protocol.filters import Filter, FilterError, understood


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", Filter()),
        ("fc1 Weight", Filter(names=("fc1", "weight"))),
        ("class:Linear dtype:bf16", Filter(classes=("linear",), dtypes=("bfloat16",))),
        ("dtype:torch.float32 dtype:fp8", Filter(dtypes=("float32", "float8"))),
        ("grad:none changed frozen nan", Filter(no_grad=True, changed=True, frozen=True, nan=True)),
        ("name:nan name:frozen", Filter(names=("nan", "frozen"))),
        ("class: dtype: name:", Filter()),
        ("grad:", Filter()),
        ("grad:no", Filter(no_grad=True)),
    ],
)
def test_words_are_understood_together(typed: str, meant: Filter) -> None:
    assert understood(typed) == meant


@pytest.mark.parametrize(("typed", "named"), [("grad:5", "grad:none"), ("shape:3", "class:Linear"), (":", "class:")])
def test_what_is_no_filter_says_what_there_is(typed: str, named: str) -> None:
    with pytest.raises(FilterError, match=named):
        understood(typed)


def test_a_name_is_found_by_its_parts_or_a_pattern_whatever_its_case() -> None:
    assert understood("LAYERS bias").names_it("model.layers.3.bias")
    assert understood("layers.*.bias").names_it("model.layers.3.bias")
    assert not understood("layers.?.bias").names_it("model.layers.31.bias")
    assert understood("head").names_it("model.embedding.weight", "model.head.weight")


def test_a_class_is_found_by_its_beginning_and_one_around_it_by_the_whole() -> None:
    assert understood("class:conv").is_of("Conv2d", ("Net", "Conv2d"))
    assert understood("class:Block").is_of("Linear", ("Net", "Block", "Linear"))
    assert not understood("class:Lin").is_of("Conv2d", ("LinearNet", "Conv2d"))
