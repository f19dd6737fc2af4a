"""A panel is one folder and one row of the registry: what the row says is so, and nothing else names the panel."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tui.stage import stage

from stepdbg.tui import panels
from stepdbg.tui.actions.registry import BY_ID
from stepdbg.tui.layout.mounted_panels import panel_class
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panel_base.registry import BY_NAME, OWN_PLACE, SPECS, PanelSpec

FOLDERS = {path.parent.name for path in Path(panels.__path__[0]).glob("*/panel.py")}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_row_says_of_a_panel_what_its_class_and_its_key_say(spec: PanelSpec) -> None:
    kind = panel_class(spec)
    assert issubclass(kind, Panel)
    assert kind.panel == spec.place, "the class says in which place it stands"
    assert BY_NAME[spec.place].digit == BY_ID[f"panel_{spec.place}"].keys[0]
    told = f"{sys.modules[kind.__module__].__doc__}\n{kind.__doc__}"
    assert set(re.findall(r"^Panel (\d):", told, re.MULTILINE)) <= {spec.digit}


def test_every_folder_has_a_row_and_no_two_rows_share_a_name_a_key_or_a_class() -> None:
    assert {spec.widget.split(".")[0] for spec in SPECS} == FOLDERS
    assert len({spec.name for spec in SPECS}) == len({spec.widget for spec in SPECS}) == len(SPECS)
    assert len({spec.digit for spec in OWN_PLACE} - {""}) == len(OWN_PLACE)


@pytest.mark.parametrize("spec", OWN_PLACE, ids=lambda spec: spec.name)
async def test_a_panel_is_made_when_it_is_first_gone_to(spec: PanelSpec) -> None:
    async with stage((80, 24)) as here:
        assert set(here.app.panel_layout.panels) == {"model"}
        await here.press(spec.digit)
        assert set(here.app.panel_layout.panels) == {"model", spec.name}
        assert here.app.panel_layout.focused_name() == spec.name
