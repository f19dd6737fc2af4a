"""What tests of the commands start with: a runtime folder of their own, and a file for a trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub.room import runtime


@pytest.fixture
def runtime_folder() -> Iterator[Path]:
    """A folder for the sessions of this test; none is left behind in it."""
    with runtime() as folder:
        yield folder
        assert list(folder.iterdir()) == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a trace goes."""
    return tmp_path / "trace.jsonl"
