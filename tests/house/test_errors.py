"""Every exception of stepdbg stands in the tree that `errors.py` begins with, under the one that it is a kind of."""

from __future__ import annotations

import ast
import builtins
import re
from functools import cache
from pathlib import Path

import stepdbg
from stepdbg import errors

HERE = Path(stepdbg.__file__).parent
BUILT_IN = {name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, BaseException)}


@cache
def defined() -> dict[str, set[str]]:
    """The public exception classes of the package, each with the names of its bases."""
    bases: dict[str, set[str]] = {}
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    found = {name for name, of in bases.items() if of & BUILT_IN}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return {name: bases[name] for name in found if not name.startswith("_")}


def test_every_exception_stands_in_the_tree_of_errors() -> None:
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+) {2,}\S", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(set(defined()))


def test_the_tree_is_drawn_as_it_is() -> None:
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│├└─ ]*)([A-Z]\w+) {2,}\S", line)
        if found and (depth := len(found[1]) // 4):
            del above[depth:]
            assert above[-1] in defined()[found[2]], line
        if found:
            above.append(found[2])
