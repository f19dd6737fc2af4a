"""`stepdbg check`: what is wrong is printed and told by the exit status, whatever becomes of the script."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from harness import warm

from commands.scripts import STEPDBG, TRAINING, run, write
from stepdbg.commands.check.rule_names import rule_names
from stepdbg.commands.run import rules_of_project
from stepdbg.hub.launch import Launch

pytestmark = pytest.mark.usefixtures("runtime_folder")

CHECK = [*STEPDBG, "check", *warm.option()]
SOUND = TRAINING + "train(4)\nprint('trained')\n"
STALE = SOUND.replace("    optimizer.zero_grad()\n", "    pass\n")


def line_of(script: Path, words: str) -> int:
    return next(number for number, line in enumerate(script.read_text().split("\n"), 1) if words in line)


def test_a_sound_script_ends_with_0_and_it_is_said_what_is_right(tmp_path: Path) -> None:
    status, out, err = run(*CHECK, write(tmp_path, SOUND))
    assert (status, err) == (0, b"")
    printed = out.decode()
    assert printed.startswith("trained\n4 updates checked: nothing found\nright: ")
    assert "no step uses the gradients of an earlier one" in printed.replace("\n    ", " ")


def test_what_is_wrong_is_told_with_its_line_evidence_cause_and_fix_and_the_status_is_1(tmp_path: Path) -> None:
    script = write(tmp_path, STALE)
    status, out, _ = run(*CHECK, script)
    printed = out.decode()
    assert status == 1
    assert f"error  stale-gradients  {script}:{line_of(script, 'backward()')}  updates 2 to 4" in printed
    for label in (
        "evidence: ",
        "cause: ",
        "fix: ",
        "more: docs/rules/stale-gradients.md",
        "4 updates checked: 1 error",
    ):
        assert label in printed


def test_json_stands_alone_on_stdout_and_what_the_script_writes_on_stderr(tmp_path: Path) -> None:
    script = write(tmp_path, STALE)
    status, out, err = run(*CHECK, "--json", script)
    told = json.loads(out)
    assert (status, err) == (1, b"trained\n")
    (finding,) = told["findings"]
    assert {"rule", "severity", "message", "objects", "file", "line", "first", "last", "fix"} <= finding.keys()
    assert (finding["file"], finding["line"]) == (str(script), line_of(script, "backward()"))
    assert (finding["first"], finding["last"], told["updates"], told["ending"]) == (2, 4, 4, "")


def test_sarif_and_annotations_name_the_rule_and_the_line(tmp_path: Path) -> None:
    script = write(tmp_path, STALE)
    line = line_of(script, "backward()")
    told = json.loads(run(*CHECK, "--format", "sarif", script)[1])
    (result,) = told["runs"][0]["results"]
    assert (told["version"], result["ruleId"], result["level"]) == ("2.1.0", "stale-gradients", "error")
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": line}
    annotation = next(one for one in run(*CHECK, "--format", "github", script)[1].decode().split("\n") if "::" in one)
    assert annotation.startswith(f"::error file={script},line={line},title=stale-gradients::this step uses")


@pytest.mark.parametrize(
    "comment", ["# stepdbg: ignore", "# stepdbg: ignore[stale-gradients]", "# stepdbg:ignore[a, stale-gradients]"]
)
def test_a_comment_at_the_end_of_the_line_silences_what_is_found_there(comment: str, tmp_path: Path) -> None:
    script = write(tmp_path, STALE.replace("loss.backward()", f"loss.backward()  {comment}"))
    assert run(*CHECK, script)[0] == 0


def test_a_comment_for_another_rule_silences_nothing(tmp_path: Path) -> None:
    script = write(tmp_path, STALE.replace("loss.backward()", "loss.backward()  # stepdbg: ignore[no-update]"))
    assert run(*CHECK, script)[0] == 1


@pytest.mark.parametrize("options", [("--ignore", "stale-gradients"), ("--select=activated-logits,not-in-optimizer",)])
def test_a_rule_that_is_not_asked_for_finds_nothing(options: tuple[str, ...], tmp_path: Path) -> None:
    assert run(*CHECK, *options, write(tmp_path, STALE))[0] == 0


def test_the_target_is_ended_after_so_many_updates(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING + "train(1000)\nprint('trained')\n")
    status, out, err = run(*CHECK, "--updates", "3", script)
    assert (status, err) == (0, b"")
    assert out.startswith(b"3 updates checked")


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("import torch\nraise ValueError('no data')\n", 2, "nothing was checked: the script ended with status 1"),
        ("print('no torch')\n", 2, "called no model, backward or optimizer of torch"),
        (f"{TRAINING}train(3)\nraise ValueError('late')\n", 2, "the script failed with ValueError: late"),
        (f"{STALE}raise ValueError('late')\n", 1, "the script failed with ValueError: late"),
        (f"{SOUND}import os; os._exit(3)\n", 2, "the script ended with status 3 before the rules could say"),
        (f"{STALE}import os; os._exit(3)\n", 1, "error  stale-gradients"),
        (f"{SOUND}import sys; sys.exit(3)\n", 0, "the script ended with status 3"),
        ("import torch\nprint(torch.nn.Linear(2, 1)(torch.ones(3, 2)).shape)\n", 2, "made no step of an optimizer"),
    ],
    ids=["fails", "no torch", "later", "with a finding", "hard", "hard with a finding", "status", "never trains"],
)  # fmt: skip
def test_however_a_script_ends_it_is_said_and_the_status_fits(
    text: str, status: int, words: str, tmp_path: Path
) -> None:
    told, out, _ = run(*CHECK, write(tmp_path, text))
    assert told == status
    assert words in out.decode().replace("\n    ", " ")


def test_of_a_script_that_steps_by_hand_it_is_said_what_could_not_be_checked(tmp_path: Path) -> None:
    text = """
    import torch
    w, x = torch.randn(3, requires_grad=True), torch.randn(20, 3)
    for _ in range(5):
        loss = (x @ w).square().mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.05 * w.grad
            w.grad = None
    """
    status, out, _ = run(*CHECK, write(tmp_path, textwrap.dedent(text)))
    assert status == 0
    assert "what concerns optimizers: the script steps by hand" in out.decode().replace("\n    ", " ")


def test_what_several_ranks_find_is_told_once(tmp_path: Path) -> None:
    text = """
        import torch
        import torch.distributed as dist
        from torch import nn
        dist.init_process_group("gloo")
        torch.manual_seed(0)
        net = nn.parallel.DistributedDataParallel(nn.Linear(3, 1))
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(6):
            loss = net(torch.randn(4, 3)).square().mean()
            loss.backward()
            opt.step()
        dist.destroy_process_group()
        """
    script = write(tmp_path, textwrap.dedent(text))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    status, out, _ = run(*STEPDBG, "check", "--json", *launcher, str(script))
    told = json.loads(out)
    assert status == 1
    assert [one["rule"] for one in told["findings"]] == ["stale-gradients"]
    assert told["updates"] == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--select", "stale-gradiens"), "did you mean stale-gradients?"),
        (("--format", "yaml"), "give one of text, json, github, sarif"),
        (("--updates", "0"), "give one from 1 up"),
        (("--ignore", ",".join(rule_names())), "no rule is left to be checked"),
        (("--effects",), "it is one of `stepdbg trace"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_a_line(
    options: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    status, out, err = run(*STEPDBG, "check", *options, write(tmp_path, SOUND))
    assert (status, out, err.count(b"\n")) == (2, b"", 1)
    assert words in err.decode()


PROJECTS = [
    ('ignore = ["stale-gradients"]', 0, "nothing found"),
    ('select = ["activated-logits"]', 0, "nothing found"),
    ("updates = 2", 1, "2 updates checked"),
    ('ignore = ["stale"]', 2, "there is no rule 'stale'"),
    ("ignor = []", 2, "knows no 'ignor'; did you mean ignore?"),
    ("updates = 0", 2, "has to be a number from 1 up"),
    ("ignore = [", 2, "is no TOML"),
]


@pytest.mark.parametrize(("table", "status", "words"), PROJECTS)
def test_the_project_s_file_says_what_is_checked(
    table: str, status: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.stepdbg.check]\n{table}\n")
    (tmp_path / "below").mkdir()
    script = write(tmp_path, STALE)
    monkeypatch.chdir(tmp_path / "below")
    told, out, err = run(*CHECK, script)
    assert told == status
    assert words in (out + err).decode().replace("\n    ", " ")


IN_A_SESSION = [
    ('ignore = ["stale-gradients"]', (None, ("stale-gradients",)), ""),
    ('select = ["stale-gradients"]', (("stale-gradients",), ()), ""),
    ('ignore = ["stale-gradient"]', (None, ()), "there is no rule 'stale-gradient'"),
    ("", (None, ()), ""),
]


@pytest.mark.parametrize(("table", "said", "words"), IN_A_SESSION)
def test_the_project_s_file_says_which_rules_look_on_while_one_steps(
    table: str,
    said: tuple[tuple[str, ...] | None, tuple[str, ...]],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.stepdbg.check]\n{table}\n")
    monkeypatch.chdir(tmp_path)
    rules = rules_of_project()
    assert (rules.selected, rules.ignored) == said
    assert words in " ".join(rules.wrong)
    assert bool(words) == bool(rules.wrong)
    launch = Launch((), "", "", rules=rules.selected, ignored_rules=rules.ignored)
    welcome = launch.welcome(None, (), ())
    assert (welcome.rules, welcome.ignored_rules) == said
