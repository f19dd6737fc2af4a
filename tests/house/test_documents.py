"""The documents say what is so: keys, commands, links and files that they name are there."""

from __future__ import annotations

import re

from harness.place import ROOT

from stepdbg.tui.actions.key_tables import markdown_table

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted(
    path for folder in ("src", "demos", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")
)
LONGEST = 520
"""Lines. A file that grows past this has a second subject."""
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
    assert not {path for path, text in texts.items() if text.count("\n") > LONGEST}
    assert not {path for path, text in texts.items() if text.strip() and not text.startswith(('"""', 'r"""'))}


def test_setting_up_names_no_host() -> None:
    for path in SETTING_UP:
        assert "://" not in path.read_text(), path
