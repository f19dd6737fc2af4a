"""The guided first run: each hint says what to press, goes when that is done, and none comes back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.theme import BUILTIN_THEMES
from tui.builders import at, stop_after
from tui.stage import stage

from stepdbg.home.first_run import DEMOS, note_use, wants_hints
from stepdbg.home.folders import STATE_VARIABLE
from stepdbg.home.toml_files import read_toml
from stepdbg.protocol.messages import Inner
from stepdbg.tui.onboarding.hints import HINTS, words
from stepdbg.tui.settings.config import Config, configured


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    return tmp_path


def test_every_hint_fits_a_line_of_80_cells_with_the_way_out() -> None:
    for done in ("data", "backward", "step"):
        snapshot = at(stop_after(done))
        for place in range(len(HINTS)):
            said = words(place, snapshot)
            assert said
            assert "{" not in said
            assert len(said) <= 80 - 3 - len("H: no hints ") - 1, said
    assert words(len(HINTS), at(stop_after("data"))) == ""


@pytest.mark.parametrize(
    ("phase", "inner", "said"),
    [
        ("forward", Inner("module", "model.fc1", "Linear"), "inside forward, s goes to the next module, n to its end"),
        ("forward", Inner("operator", "aten.mm"), "inside forward, I goes to the next operator, n to its end"),
        ("backward", Inner("gradient", "w", place=2, total=4), "inside backward, s goes to the next gradient, n to"),
        ("backward", Inner("node", "AddBackward0"), "inside backward, I goes to the next node, n to its end"),
        ("step", Inner("parameter", "w", place=3, total=4), "inside step, s goes to the next parameter, n to its end"),
        ("step", Inner("parameter", "w", place=4, total=4), "inside step, that was the last parameter; n goes on"),
        ("{next}", Inner("line"), "inside {next}, n goes to its end"),
        ("", Inner("line"), "stepdbg.breakpoint() has stopped training here; n goes on"),
    ],
)
def test_within_a_phase_every_hint_gives_way_to_how_one_goes_on_there(phase: str, inner: Inner, said: str) -> None:
    stop = stop_after("forward")
    boundary = msgspec.structs.replace(stop.boundary, done=None, next=None, inside=(phase,) if phase else ())
    snapshot = at(msgspec.structs.replace(stop, boundary=boundary, inner=inner))
    for place in range(len(HINTS)):
        assert words(place, snapshot).startswith(said)
        assert len(words(place, snapshot)) <= 80 - 3 - len("H: no hints ") - 1
    assert words(len(HINTS), snapshot) == ""


async def test_hints_wait_while_training_stands_within_a_phase(home: Path) -> None:
    async with stage(guided=True) as here:
        hint = lambda: here.text.splitlines()[-2]  # noqa: E731
        for _ in range(4):
            await here.step()
        await here.until(lambda: "until backward is done" in hint(), "the third hint")
        for key, said in (("s", "s goes to the next gradient"), ("s", "s goes to the next gradient")):
            await here.press(key)
            await here.until(lambda said=said: said in hint() and "n to its end" in hint(), said)
        await here.press("n")
        await here.until(lambda: "backward wrote 4 grads" in hint(), "the fourth")
        await here.press("s")
        await here.until(lambda: "inside step, s goes to the next parameter" in hint(), "how to go on in step")
        for _ in range(3):
            await here.press("s")
        await here.until(lambda: "that was the last parameter; n goes on" in hint(), "the last")
        await here.press("n")
        await here.until(lambda: "* marks what step changed" in hint(), "the fifth")


def test_hints_come_on_the_first_script_ever_and_on_demos_until_they_are_over() -> None:
    demo, other = str(DEMOS / "mnist.py"), "/home/me/train.py"
    assert wants_hints(other)
    note_use()
    assert not wants_hints(other)
    assert wants_hints(demo)
    note_use(finished=True)
    assert not wants_hints(demo)
    assert not wants_hints(other)


def test_a_broken_file_or_a_home_that_cannot_be_written_is_no_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "hints.toml").write_text("[")
    assert not wants_hints("/home/me/train.py")
    (home / "file").write_text("")
    monkeypatch.setenv(STATE_VARIABLE, str(home / "file"))
    note_use()
    assert wants_hints("/home/me/train.py")


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_hints_go_on_as_the_user_does_what_they_say(size: tuple[int, int], home: Path) -> None:
    async with stage(size, guided=True) as here:
        hint = lambda: here.text.splitlines()[-2]  # noqa: E731
        await here.until(lambda: "press n: data fetches a batch" in hint(), "the first hint")
        assert "H: no hints" in hint()
        await here.step()
        await here.until(lambda: "the rail says what data did" in hint(), "the second")
        await here.step()
        await here.until(lambda: "until backward is done" in hint(), "the third")
        await here.step_to("backward")
        assert "until backward is done" in hint()
        await here.step()
        await here.until(lambda: "backward wrote 4 grads" in hint(), "the fourth")
        await here.step()
        if size == (80, 24):  # elsewhere the tensor is to be seen already
            await here.until(lambda: "enter on a parameter" in hint(), "the fifth")
            await here.press("1", "enter")
            await here.until(lambda: "v shows the next" in hint(), "the sixth")
            await here.press("1")
        await here.until(lambda: "a on a parameter says who owns it" in hint(), "the seventh")
        await here.press("a")
        await here.until(lambda: "breakpoint" in hint(), "the eighth")
        await here.press("b", "enter")
        await here.until(lambda: "? shows every key" in hint(), "the last")
        rows = here.app.query_one("#body").size.height
        await here.step()
        await here.until(lambda: not here.app.guide.active, "their end")
        await here.until(lambda: here.app.query_one("#body").size.height > rows, "the line for the panels")
        await here.until(lambda: read_toml(home / "hints.toml").get("finished"), "the note")
        assert "no hints" not in here.text


async def test_a_hint_goes_on_also_for_somebody_who_does_something_else(home: Path) -> None:
    async with stage(guided=True) as here:
        hint = lambda: here.text.splitlines()[-2]  # noqa: E731
        for _ in range(6):
            await here.step()
        await here.until(lambda: "enter on a parameter" in hint(), "the fifth")
        assert "* marks what step changed" in hint()
        await here.step()
        assert "enter on a parameter" in hint()
        assert "marks what step changed" not in hint(), "step is not what was done here"
        await here.press("exclamation_mark")
        await here.until(lambda: ">>>" in here.text and "enter on a parameter" not in hint(), "the prompt")
        await here.press("escape")
        await here.until(lambda: "enter on a parameter" in hint(), "keys again")
        await here.step()
        await here.until(lambda: "enter on a parameter" not in hint(), "another")
        for _ in range(8):
            await here.step()
        await here.until(lambda: not here.app.guide.active, "their end")


async def test_a_key_or_a_click_dismisses_the_hints_for_good(home: Path) -> None:
    for dismissed in ("key", "click"):
        async with stage(guided=True) as here:
            await here.until_seen("press n: data")
            if dismissed == "key":
                await here.press("H")
            else:
                await here.click_on("no hints")
            await here.until(lambda here=here: "no hints" not in here.text, "their end")
            await here.until(lambda: read_toml(home / "hints.toml").get("finished"), "the note")
        assert not wants_hints(str(DEMOS / "mnist.py"))
        (home / "hints.toml").unlink()


async def test_hints_name_the_users_own_keys_and_the_settings_can_forbid_them() -> None:
    async with stage(guided=True, config=configured({"keys": {"next": "f8"}}, BUILTIN_THEMES)) as here:
        await here.until_seen("press F8: data fetches")
    async with stage(guided=True, config=Config(hints=False)) as here:
        await here.step()
        assert "no hints" not in here.text


async def test_a_small_terminal_has_no_line_for_them() -> None:
    async with stage((60, 16), guided=True) as here:
        await here.step()
        assert "no hints" not in here.text
