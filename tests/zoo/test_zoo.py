"""Planted bugs, each beside its repaired twin: each is named by its rule, at its line, with its cause; no twin is.

A faulty script `tests/zoo/RULE/NAME.py` says on the line that is to be named `# <- rule: words`, where the words stand
in the finding's sentence or cause. Its twin is `NAME_repaired.py`. One run of a script shows all rules to it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from frameworks.running import needs
from tracer.bare_hub import bare, debuggee

import stepdbg
from stepdbg.commands.check.rule_names import PROBES, rule_names
from stepdbg.protocol.messages import Checked, Finding, Tracing
from zoo.ranks import has_ranks, told_by_command

ZOO = Path(__file__).parent
ROOT = ZOO.parent.parent
UPDATES = 20
SCRIPTS = sorted(ZOO.glob("*/*.py"))
FAULTY = [script for script in SCRIPTS if not script.stem.endswith("_repaired")]
REPAIRED = [script for script in SCRIPTS if script not in FAULTY]
"""The twins, and what is legal though it looks like a bug of that kind."""
PACKAGES = {name: name for name in ("accelerate", "ignite", "lightning", "skorch")} | {"trainer": "transformers"}
"""What the scripts of `tests/zoo/frameworks` need, by what their names begin with."""
BY_THE_CLOCK = "slow-phase"
"""What it finds goes by the clock, and so by who else uses the machine: it looks at its own scripts only."""
MARK = re.compile(r"# <- ([a-z-]+): (.+)")


class Told(NamedTuple):
    """What a run of all rules has told, and how the script has ended."""

    findings: list[Finding]
    checked: Checked | None
    output: str


def told(script: Path, updates: int = UPDATES) -> Told:
    if script.parent.name == "frameworks":
        needs(PACKAGES[script.stem.partition("_")[0]])
    if has_ranks(script):
        return Told(*told_by_command(script, updates))
    rules = tuple(one for one in rule_names() if one != BY_THE_CLOCK or named(script).startswith("slow_phase/"))
    probe = script.parent.name.replace("_", "-")
    rules = (*rules, probe) if probe in PROBES else rules
    with debuggee(str(script), go="continue", trace=Tracing(updates=updates, rules=rules)) as training:
        list(training.stops("continue"))
        code, output, errors = training.end()
    assert code == 0, errors
    assert training.checked is not None
    assert not [words for words in training.checked.unchecked if "the rule failed" in words]
    return Told(training.found, training.checked, output)


def named(script: Path) -> str:
    return f"{script.parent.name}/{script.stem}"


@pytest.mark.parametrize("script", FAULTY, ids=named)
def test_a_planted_bug_is_named_at_its_line_with_its_cause(script: Path) -> None:
    marks = [
        (n, *found.groups()) for n, line in enumerate(script.read_text().split("\n"), 1) if (found := MARK.search(line))
    ]
    assert marks, "no line of it says what is wrong"
    findings = told(script).findings
    for line, rule, words in marks:
        found = [one for one in findings if (one.rule, one.line) == (rule, line)]
        assert found, [(one.rule, one.line, one.message) for one in findings]
        assert any(words in f"{one.message} {one.cause}" for one in found), found
        assert all(one.evidence and (one.fix or one.severity == "info") for one in found), found
    others = [one for one in findings if one.severity != "info" and one.rule not in {rule for _, rule, _ in marks}]
    assert not others


@pytest.mark.parametrize("script", REPAIRED, ids=named)
def test_the_repaired_twin_of_a_planted_bug_is_clean(script: Path) -> None:
    seen = told(script)
    assert not [one for one in seen.findings if one.severity != "info"]
    assert seen.checked is not None
    assert seen.checked.updates > 0


@pytest.mark.parametrize("rule", [*rule_names(), *PROBES])
def test_a_rule_has_its_page_and_two_planted_bugs_with_their_twins(rule: str) -> None:
    page = (ROOT / "docs" / "rules" / f"{rule}.md").read_text()
    assert page.startswith(f"# {rule}\n")
    for heading in ("## What it means", "## How it is detected", "## When it is legal", "## Sources"):
        assert heading in page
    bugs = [script for script in FAULTY if re.search(rf"# <- {rule}: ", script.read_text())]
    assert len(bugs) >= 2
    assert all(bug.with_name(f"{bug.stem}_repaired.py") in REPAIRED for bug in bugs)
    assert f"[{rule}]({rule}.md)" in (ROOT / "docs" / "rules" / "README.md").read_text()


def test_the_rules_change_no_bit_of_the_training() -> None:
    """Of scripts of the zoo: what they print at their end, and that they end as they do bare."""
    script = ZOO / "stale_gradients" / "forgotten_zero_grad_repaired.py"
    assert told(script, updates=1000).output == bare(str(script))[1]


def test_every_rule_is_in_the_package() -> None:
    assert (Path(stepdbg.__file__).parent / "tracer" / "checks" / "rules").is_dir()
