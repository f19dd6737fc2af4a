"""What a newcomer looks for: signs at every size, words that lead to an action, titles and figures that stay whole."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.theme import BUILTIN_THEMES
from textual.widgets import Static
from tui.builders import at, effects, knowing, stop_after
from tui.stage import stage

from stepdbg.protocol.messages import Effect, Objects, Output, PhaseRecord
from stepdbg.tui.actions.action import ActionContext
from stepdbg.tui.actions.help_dialog import help_text, signs
from stepdbg.tui.actions.meanings import MEANINGS, means
from stepdbg.tui.actions.registry import ACTIONS, BY_ID
from stepdbg.tui.drawing.lines import ASCII, NAME, UNICODE, Span, text, titled, width_of
from stepdbg.tui.drawing.numbers import figure, shape, size
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.picture import MARGIN, WIDTH, svg
from stepdbg.tui.layout import footer
from stepdbg.tui.panels.model.panel import ModelPanel
from stepdbg.tui.records.transcript import Transcript
from stepdbg.tui.state.awaiting_input import prompt, reads_input
from stepdbg.tui.state.reducer import reduced
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.subject import moved_to
from stepdbg.tui.top.session_sentence import session_sentence


@given(st.floats(allow_nan=True, allow_infinity=True, width=32), st.integers(6, 9))
def test_a_figure_fits_its_place_and_is_a_whole_number(value: float, width: int) -> None:
    words = figure(value, width)
    assert len(words) <= max(width, 6 + (value < 0))
    float(words)


def test_bytes_and_shapes_read_as_nothing_else() -> None:
    assert (size(8), size(1), size(999), size(1000)) == ("8 bytes", "1 byte", "999 bytes", "1.0 kB")
    assert (shape((8,)), shape((8, 2)), shape(())) == ("[8]", "8×2", "scalar")


def test_a_title_gives_up_its_last_pieces_before_its_name_and_the_name_its_beginning() -> None:
    line = (
        Span("2 Tensor "),
        Span("model.layers.7.attn.weight", NAME),
        Span(" [0, 1]", "accent"),
        Span("  8×8", "dim"),
    )
    told = {width: text(titled(line, width, "…")) for width in (80, 44, 30, 24)}
    assert told[80] == "2 Tensor model.layers.7.attn.weight [0, 1]  8×8"
    assert told[44] == "2 Tensor model.layers.7.attn.weight [0, 1]"
    assert told[30].startswith("2 Tensor …")
    assert told[30].endswith(".weight [0, 1]")
    assert all(width_of(titled(line, width, "…")) <= width for width in range(80))
    assert all(span.role != NAME for span in titled(line, 80, "…"))


@pytest.mark.parametrize("dark", [True, False])
def test_a_row_under_the_cursor_is_readable_on_any_background_of_a_terminal(dark: bool) -> None:
    ansi = next(theme for theme in BUILTIN_THEMES.values() if theme.ansi)
    variables = ansi.to_color_system().generate()
    for palette in (Palette(variables, dark=dark, ansi=True), Palette(variables, dark=dark, colour=False)):
        for role in ("", "module", "dim", "mark.changed", "mark.created", "mark.freed", "mark.touched", "strong"):
            style = palette.painted(f"{role}.here".lstrip("."))
            assert style.reverse, role
            assert not style.dim, f"{role}: a dim ink turned round"
            assert style.color is None, f"{role}: a colour turned round is a background that nobody chose"


def test_a_process_that_reads_its_input_is_told_by_the_system_or_else_by_its_prompt() -> None:
    asked = Transcript().fed(0, b"update 1\r\ngo on? ")
    assert prompt(asked) == "go on?"
    assert prompt(Transcript().fed(0, b"update 1\r\n")) == ""
    assert prompt(Transcript().fed(0, b"epoch 1: 40%")) == ""
    assert reads_input(2**22 + 1) is None


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_new_output_and_a_warning_have_a_sign_in_the_tabs_at_every_width(glyphs: object) -> None:
    for width in (24, 40, 80, 120):
        plain = text(footer.tabs("model", width, glyphs))  # type: ignore[arg-type]
        for news, sign in (("output", "•" if glyphs is UNICODE else "'"), ("warning", "!")):
            words = text(footer.tabs("model", width, glyphs, news=news))  # type: ignore[arg-type]
            assert len(words) == len(plain)
            assert f"{sign}7" in words or "7" not in plain
    snapshot = reduced(at(stop_after("loss")), Output(0, b"x.py:1: UserWarning: mind the gap\n"))
    assert snapshot.news == "warning"
    assert session_sentence(snapshot).startswith("! a warning was printed, see Output (7). ")
    assert session_sentence(snapshot.with_output_read()) == session_sentence(at(stop_after("loss")))


async def test_a_script_that_waits_for_a_line_says_so_and_i_types_it_from_anywhere() -> None:
    for sized in ((40, 12), (80, 24), (160, 50)):
        async with stage(sized, updates=100_000, pace=0.002) as here:
            app = here.app
            app.snapshot = msgspec.structs.replace(
                app.snapshot, session=msgspec.structs.replace(app.snapshot.session, terminal=True, state="running")
            )
            ranks = tuple(msgspec.structs.replace(one, state="running") for one in app.snapshot.session.ranks)
            session = msgspec.structs.replace(app.snapshot.session, ranks=ranks)
            app.snapshot = msgspec.structs.replace(app.snapshot, session=session, asking=True)
            app.paint()
            assert "waits for a line" in here.text
            assert BY_ID["input"].applies(app.action_context())
            assert "i type to script" in here.footer or sized[0] == 40


def test_every_action_of_a_meaning_is_there_and_what_people_ask_for_is_found() -> None:
    assert set(MEANINGS) <= set(BY_ID)

    def found(query: str) -> set[str]:
        return {action.id for action in ACTIONS if means(action, query)}

    assert {"graph", "part", "panel_tensor", "owners"} <= found("gradient")
    assert {"panel_optimizer", "edit", "foresee"} <= found("learning rate")
    assert {"panel_effects", "names"} <= found("who changed")
    assert {"find", "mark"} <= found("nan")
    assert "panel_console" in found("print")
    assert not found("zebra")


async def test_the_palette_finds_by_meaning() -> None:
    from textual.command import CommandList
    from textual.widgets import Input

    async with stage() as here:
        for query, title in (
            ("learning rate", "Optimizer (4)"),
            ("who changed", "Effects (3)"),
            ("gradient", "graph (B)"),
        ):
            await here.press("ctrl+p")
            await here.until(lambda: here.app.screen.query(CommandList), "the palette")
            here.app.screen.query_one(Input).value = query
            listed = here.app.screen.query_one(CommandList)
            titles = lambda listed=listed: [str(option.hit.text) for option in listed.options]  # noqa: E731
            await here.until(lambda title=title, titles=titles: title in titles(), title)
            await here.press("escape")
            await here.until(lambda: len(here.app.screen_stack) == 1, "the palette's end")


@pytest.mark.parametrize("width", [60, 80, 100])
async def test_the_lines_of_the_help_fit_its_dialog_at_every_width(width: int) -> None:
    async with stage((width, 40)) as here:
        await here.press("question_mark")
        words = here.app.screen.query_one("#text", Static)
        await here.until(lambda: words.content_size.width, "the help")
        text_of_it = str(words.content)
        assert max(map(len, text_of_it.splitlines())) <= words.content_size.width
        assert "Signs" in text_of_it


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_help_has_every_sign_and_is_searched_by_meaning(glyphs: object) -> None:
    told = " ".join(sign for sign, _ in signs(glyphs))  # type: ignore[arg-type]
    for name in (
        "arrow",
        "loop",
        "ellipsis",
        "breakpoint",
        "switched_off",
        "cursor",
        "done",
        "branch",
        "folded",
        "yes",
    ):
        assert getattr(glyphs, name) in told, name
    assert set("*~+-!?=") <= set(told)
    here = ActionContext(at(stop_after("loss")), "model", actions=ACTIONS)
    assert "go to the panel Optimizer" in help_text(here, 80, query="learning rate")
    assert "a breakpoint; one that is switched off" in help_text(here, 80, query="breakpoint")
    assert help_text(here, 80, query="zebra") == "nothing is found by 'zebra'"
    assert glyphs is UNICODE or help_text(here, 80, glyphs).replace("Δ/‖w‖", "").isascii()  # type: ignore[arg-type]


async def test_help_is_searched_as_one_types_and_escape_leads_out_in_two_steps() -> None:
    async with stage() as here:
        await here.press("question_mark")
        await here.until_seen("Keys")
        await here.press("slash", *"learning")
        await here.until_seen("go to the panel Optimizer")
        await here.press("escape")
        await here.until_seen("Signs")
        await here.press("escape")
        await here.until(lambda: len(here.app.screen_stack) == 1, "the end of the help")


def test_letters_of_a_saved_picture_stand_in_their_columns() -> None:
    line = [Segment("ab ", Style(bold=True)), Segment("│▀", Style(color="red")), Segment("wide 漢x")]
    picture = svg([line], 14, 1, "a & b")
    places = {letter: float(x) for xs, letters in re.findall(r'<text x="([^"]+)"[^>]*>([^<]+)<', picture)
              for x, letter in zip(xs.split(), letters, strict=True)}  # fmt: skip
    for letter, column in (("a", 0), ("b", 1), ("│", 3), ("w", 5), ("漢", 10), ("x", 12)):
        assert places[letter] == pytest.approx(MARGIN + column * WIDTH, abs=0.06), letter
    assert "a &amp; b" in picture


async def test_the_prompt_takes_what_is_typed_however_the_console_was_come_to(tmp_path: Path) -> None:
    async with stage((100, 30)) as here:
        console, boundary = here.panel("console"), here.app.snapshot.boundary

        async def click() -> None:
            await here.click_on("9 Console")

        async def tab() -> None:
            await here.press("8", "tab")

        for way in (lambda: here.press("9"), tab, click, lambda: here.press("exclamation_mark")):
            await here.press("1")
            await way()
            await here.until(lambda: console.input is not None and console.input.has_focus, "the prompt")
            await here.press("n", "s")
            assert console.input.text == "ns"
            assert ">>>" in console.text()
            await here.press("escape")
            await here.until(lambda: not console.typing, "the end of typing")
            assert ">>>" not in console.text()
            assert "press 9 or ! to type" in console.text()
            console.input.done()
        assert here.app.snapshot.boundary == boundary, "a letter that was typed has stepped"
        await here.press("9", "escape", "6", "escape")
        assert here.app.panel_layout.focused_name() == "console"
        await here.press("a", "k")
        assert not console.typing, "who leaves by escape goes on leaving"
        assert console.input.text == ""
        await here.step("n")


async def test_sorting_shows_the_first_row_and_b_takes_the_rail_s_phase() -> None:
    async with stage() as here:
        model = here.panel("model")
        await here.press("1", "end", "O")
        await here.until(lambda: not model.to_come() and not here.app.hub.questions.busy, "the rows by name")
        assert model.top == 0
        assert model.cursor <= 1
        await here.press("3", "b")
        await here.until_seen("stop before data")


def test_of_several_models_the_one_that_the_phase_was_about_is_gone_to() -> None:
    effect = Effect("d.0.weight.grad", "grad", "created")
    found = effects(("grad", "created", 1), names=())
    stop = stop_after("backward", effects=msgspec.structs.replace(found, named=(effect,)))
    two = Objects(1, (), models=(("g", "Generator"), ("d", "Discriminator")))
    both, one = (knowing(at(stop), each) for each in (two, Objects(1, (), models=two.models[1:])))
    assert moved_to(both, "g.0.weight") == "d.0.weight"
    assert moved_to(both, "d.2.bias") == ""
    assert moved_to(one, "") == ""
    called = stop_after("forward", phases=(PhaseRecord("forward", 1.0, of="g"),), effects=effects())
    assert moved_to(knowing(at(called), two), "d.0.weight") == "g"
    assert moved_to(knowing(at(called), two), "g.0.weight") == ""


def test_the_cursor_goes_back_to_its_row_in_each_model_and_stays_for_what_the_script_did_by_itself() -> None:
    two = Objects(1, (), models=(("g", "Generator"), ("d", "Discriminator")))

    def about(name: str, *, after: bool = False) -> Snapshot:
        effect = Effect(name, "parameter", "changed", after=after)
        found = msgspec.structs.replace(effects(("parameter", "changed", 1), names=()), named=(effect,))
        return knowing(at(stop_after("step", effects=found)), two)

    panel = ModelPanel(Palette(defaultdict(lambda: "#202020")), UNICODE)
    assert panel.led_to(about("d.0.weight"), "g.2.bias") == "d.0.weight"
    assert panel.led_to(about("g.0.weight"), "d.2.bias") == "g.2.bias"
    assert panel.led_to(about("d.0.weight"), "g.2.bias") == "d.2.bias"
    assert panel.led_to(about("d.0.weight", after=True), "g.2.bias") == ""


async def test_constants_of_the_optimizer_are_folded_until_enter_shows_them() -> None:
    async with stage((80, 24)) as here:
        await here.press("4")
        await here.until_seen("constant")
        panel = here.panel("optimizer")
        shown = panel.text()
        assert "eps" in shown.splitlines()[[("constant" in line) for line in shown.splitlines()].index(True)]
        while panel._item().kind != "constants":
            await here.press("down")
        before = panel.total
        await here.press("enter")
        await here.until(lambda: panel.total > before, "the constants")
        await here.press("enter")
        await here.until(lambda: panel.total == before, "folded again")
