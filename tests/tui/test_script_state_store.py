"""What is kept of a script comes back on the next screen, and nothing that goes wrong with it stops anybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.theme import BUILTIN_THEMES
from tui.stage import Stage, stage

from stepdbg.home.folders import STATE_VARIABLE
from stepdbg.home.script_state import read_state
from stepdbg.protocol.breakpoint_text import destination
from stepdbg.protocol.messages import AddBreakpoint, Breakpoint
from stepdbg.tui.settings.config import Config, configured


def notices(here: Stage) -> list[str]:
    return [notification.message for notification in here.app._notifications]


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))


async def test_breakpoints_layout_and_theme_are_written_when_they_change_and_the_layout_comes_back(
    tmp_path: Path,
) -> None:
    file = tmp_path / "scripts" / "textbook.toml"
    async with stage((160, 50), kept=str(file)) as here:
        assert not file.exists()
        here.app.hub.send(AddBreakpoint(Breakpoint(0, "backward")))
        here.app.hub.send(AddBreakpoint(destination("4000", 1)))  # where this run goes, and no other
        await here.press("exclamation_mark", *"1+2", "enter", "escape")
        await here.press("2", "8", "z")
        here.app.theme = "textual-light"
        await here.until(lambda: file.exists() and read_state(file)[0].theme, "the file")
        state, remark = read_state(file)
        assert (remark, state.history) == ("", ("1+2",))
        assert (state.panels[:2], state.zoomed, state.theme) == (("breaks", "tensor"), True, "textual-light")
        assert [(one.phase, one.enabled) for one in state.breakpoints] == [("backward", True)]
    async with stage((160, 50), kept=str(file)) as here:
        await here.until(lambda: here.app.panel_layout.focused_name() == "breaks", "the panel")
        assert [panel.panel for panel in here.app.panel_layout.visible()] == ["breaks"]
        assert here.app.theme == "textual-light"
        await here.press("exclamation_mark", "up")
        await here.until_seen("1+2")


async def test_a_panel_that_is_empty_at_the_start_is_not_what_a_script_comes_up_with(tmp_path: Path) -> None:
    for key, name in (("7", "output"), ("5", "loss")):
        file = tmp_path / "scripts" / f"{name}.toml"
        async with stage(kept=str(file)) as here:
            await here.press(key)
            await here.until(lambda file=file: file.exists() and read_state(file)[0].panels, "the file")
        async with stage(kept=str(file)) as here:
            assert here.app.panel_layout.focused_name() == ("model" if name == "output" else name)
            assert name in here.app.panel_layout.recent[:2]


async def test_without_a_file_nothing_is_kept() -> None:
    async with stage() as here:
        await here.press("8")
        here.app.script_state_store.save_if_changed()
        here.app.script_state_store.close()
        assert here.app.panel_layout.focused_name() == "breaks"
        assert notices(here) == []


async def test_a_broken_file_is_told_and_set_aside_and_a_new_one_is_written(tmp_path: Path) -> None:
    file = tmp_path / "scripts" / "textbook.toml"
    file.parent.mkdir()
    file.write_text("[layout")
    async with stage(kept=str(file)) as here:
        assert ["set aside" in notice for notice in notices(here)] == [True]
        await here.press("5")
        await here.until(file.exists, "a new file")
    assert (tmp_path / "scripts" / "textbook.toml.broken").read_text() == "[layout"


async def test_a_home_that_cannot_be_written_costs_one_notice(tmp_path: Path) -> None:
    (tmp_path / "scripts").write_text("a file where a folder should be")
    async with stage(kept=str(tmp_path / "scripts" / "textbook.toml")) as here:
        for key in ("5", "1", "8"):
            await here.press(key)
            await here.until(lambda: here.app.script_state_store.idle, "the attempt")
        assert ["not kept" in notice for notice in notices(here)] == [True]
        await here.step()


async def test_the_footer_help_and_palette_show_the_users_keys_and_the_old_ones_do_nothing() -> None:
    config = configured({"keys": {"next": "f8", "help": "X", "focus_next": "ctrl+n"}}, BUILTIN_THEMES)
    async with stage(config=config) as here:
        assert "F8 next" in here.footer
        assert "X help" in here.footer
        before = here.app.snapshot.boundary
        await here.press("n", "question_mark", "tab")
        await here.pilot.pause()
        assert here.app.snapshot.boundary == before
        assert len(here.app.screen_stack) == 1
        assert here.app.panel_layout.focused_name() == "model"
        await here.press("ctrl+n")
        assert here.app.panel_layout.focused_name() == "tensor"
        await here.step("f8")
        assert any(one.title.startswith("next (F8)") for one in here.app.get_system_commands(here.app.screen))
        await here.press("X", "slash", *"run the next phase")
        await here.until_seen("Keys", "F8")


async def test_sentences_lessons_and_the_guided_first_run_name_the_users_keys() -> None:
    keys = {"next": "f8", "break": "f4", "help": "X", "owners": "A", "map": "f6", "pause": "f7"}
    async with stage(config=configured({"keys": keys}, BUILTIN_THEMES), guided=True, updates=1_000_000) as here:
        await here.until_seen("comes first. Press F8 to run it", "press F8: data fetches")
        await here.press("8")
        await here.until_seen("No breakpoints. Press F4 on a phase.")
        await here.press("2", "X")
        await here.until_seen("(F6)")
        await here.press("escape", "c")
        await here.until_seen("training runs; press F7 to pause it")
        await here.press("f7")
        await here.until(lambda: here.app.snapshot.paused, "the pause")
        await here.press("left_square_bracket")
        await here.until(lambda: here.app.seen.looking_back, "the past")
        assert here.app.seen.keys["next"] == "F8"


async def test_what_is_wrong_with_the_settings_is_told_on_the_screen() -> None:
    async with stage(config=Config(problems=("config.toml: there is no theme 'x'",)), notices=("a remark",)) as here:
        assert notices(here) == ["config.toml: there is no theme 'x'", "a remark"]


async def test_settings_choose_theme_and_plain_characters() -> None:
    async with stage((160, 50), config=Config(theme="textual-light", ascii=True)) as here:
        assert here.app.theme == "textual-light"
        await here.step()
        assert here.text.isascii()


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light", "nord"])
async def test_every_theme_draws_all_roles_and_the_palette_offers_dark_light_and_ansi(theme: str) -> None:
    async with stage((160, 50), config=Config(theme=theme)) as here:
        await here.step()
        palette = here.app.palette()
        for role in ("", "dim", "accent", "here", "title.focused", "mark.changed", "chart.3", "hint", "sgr:31"):
            assert palette.painted(role) is not None
        if theme.startswith("ansi"):
            assert palette.painted("accent").color.is_system_defined
            assert palette.painted("sgr:31").color.name == "red"
            assert palette.painted("").bgcolor is None
        titles = [command.title for command in here.app.get_system_commands(here.app.screen)]
        offered = {"theme dark": "textual-dark", "theme light": "textual-light", "theme ansi": "ansi-dark"}
        assert {title for title in titles if title in offered} == {
            title for title, name in offered.items() if name != theme
        }


async def test_a_file_outside_the_folder_of_kept_state_is_neither_read_nor_written(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.toml"
    async with stage(kept=str(file)) as here:
        await here.press("8", "z")
        await here.until(lambda: notices(here), "a notice")
        assert ["not kept" in notice for notice in notices(here)] == [True]
        await here.step()
    assert not file.exists()
