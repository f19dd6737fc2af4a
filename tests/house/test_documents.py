"""The documents say what is so: keys, commands, links and files that they name are there."""

from __future__ import annotations

import re
from collections import Counter

from harness.place import ROOT

from stepdbg.tui.actions.key_tables import markdown_table

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted(
    path for folder in ("src", "demos", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")
)
LONGEST = 400
"""Lines of a file of the program. A file that grows past this has a second subject."""
LONGEST_ELSEWHERE = 520
"""Lines of a file of tests, benchmarks, demos or documents."""
STILL_LONGER = ("src/stepdbg/testing/debuggee.py",)
"""Files of the program that are being divided."""
MOST_FILES = 14
"""Files in a folder of the program, its `__init__` not counted. A folder that grows past this has a second subject."""
FULLER = ("src/stepdbg/protocol/messages", "src/stepdbg/testing", "src/stepdbg/tracer/checks/rules")
"""Folders with more files: one for each subject of messages, one for each rule; and one that is being divided."""
SETTING_UP = [ROOT / name for name in ("pyproject.toml", "constraints.txt", "Makefile", ".ci/run")]


def test_the_readme_lists_the_keys_that_the_program_has() -> None:
    assert markdown_table() in (ROOT / "docs" / "keys.md").read_text()


def test_every_target_of_make_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert not {
        (str(document.relative_to(ROOT)), name)
        for document in DOCUMENTS
        for name in re.findall(r"`make (\w+)`", document.read_text())
        if name not in targets
    }


def test_every_file_that_a_document_links_to_exists() -> None:
    assert not [
        (str(document.relative_to(ROOT)), link)
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text())
        if not link.startswith("http") and not (document.parent / link).exists()
    ]


def test_every_picture_that_is_kept_is_shown_by_a_document() -> None:
    shown = {
        (document.parent / link).resolve()
        for document in DOCUMENTS
        for link in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", document.read_text())
    }
    assert set((ROOT / "docs" / "pictures").glob("*.svg")) == shown


def test_every_path_that_the_map_names_exists() -> None:
    for path in re.findall(r"`((?:src|tests|docs|demos|benchmarks)/[\w./]+)`", (ROOT / "CONTRIBUTING.md").read_text()):
        assert (ROOT / path).exists(), path


def test_a_file_has_one_subject_and_says_which() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in SOURCES}
    lengths = {path: text.count("\n") for path, text in texts.items() if path not in STILL_LONGER}
    assert not {
        path: length
        for path, length in lengths.items()
        if length > (LONGEST if path.startswith("src/") else LONGEST_ELSEWHERE)
    }
    assert not {path for path, text in texts.items() if text.strip() and not text.startswith(('"""', 'r"""'))}


def test_a_folder_has_one_subject() -> None:
    files = Counter(
        str(path.parent.relative_to(ROOT))
        for path in (ROOT / "src").rglob("*.py")
        if path.name != "__init__.py" and str(path.parent.relative_to(ROOT)) not in FULLER
    )
    assert not {folder: number for folder, number in files.items() if number > MOST_FILES}


def test_setting_up_names_no_host() -> None:
    for path in SETTING_UP:
        assert "://" not in path.read_text(), path
