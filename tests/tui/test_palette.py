"""Everything that is written can be read, in whichever theme; and what is in focus is told without colour."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme
from tui.stage import stage

from stepdbg.tui.drawing.contrast import LEAST, legible, luminance, ratio
from stepdbg.tui.drawing.palette import LINES, Palette

THEMES = [theme for theme in BUILTIN_THEMES.values() if not theme.ansi]
ON_THE_ROW_OF_THE_CURSOR = (
    "",
    "module",
    "heading",
    "strong",
    "mark.changed",
    "mark.touched",
    "mark.created",
    "mark.freed",
)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_no_text_is_fainter_than_wcag_asks_for(theme: Theme) -> None:
    palette = Palette(theme.to_color_system().generate(), dark=theme.dark)
    roles = [role for role in palette._styles if role not in LINES]
    assert len(roles) > 40
    roles += [f"{role}.here".lstrip(".") for role in ON_THE_ROW_OF_THE_CURSOR]
    for role in roles:
        style = palette.painted(role)
        if style.color is None or style.bgcolor is None:
            assert role == "here", role
            continue
        ink, paper = (Color(*colour.get_truecolor()) for colour in (style.color, style.bgcolor))
        assert ratio(ink, paper) >= LEAST, f"{role}: {ink.hex6} on {paper.hex6} is {ratio(ink, paper):.2f}:1"


def test_contrast_is_that_of_wcag() -> None:
    white, black = Color(255, 255, 255), Color(0, 0, 0)
    assert (luminance(white), luminance(black)) == (1.0, 0.0)
    assert ratio(white, black) == ratio(black, white) == 21.0
    assert ratio(Color(119, 119, 119), white) == pytest.approx(4.48, abs=0.01), "the grey that just fails on white"
    assert legible(black, white) == black
    assert ratio(legible(Color(119, 119, 119), white), white) >= LEAST


async def test_without_colour_the_panel_in_focus_is_told_by_a_heavy_rule_and_a_sign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage((160, 50)) as here:
        await here.press("4")
        await here.until(lambda: "━━━" in here.panel("optimizer").text(), "the heavy rule")
        assert here.panel("optimizer").text().startswith("›4 Optimizer")
        for name, panel in here.app.panel_layout.panels.items():
            if here.app.panel_layout.is_shown(name) and name != "optimizer":
                assert "━" not in panel.text().splitlines()[0]
                assert not panel.text().startswith("›")
