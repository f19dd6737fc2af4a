"""What is typed to find tensors, and what it means."""

from __future__ import annotations

import pytest

from stepdbg.errors import FilterError
from stepdbg.listing.filters import Filter, understood


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
