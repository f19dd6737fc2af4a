"""Panel 9: what was typed and what came of it, with an input below that keys go to while it has the focus."""

from __future__ import annotations

from textual import events, on
from textual.message import Message

from stepdbg.protocol.messages import Completions
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs, Span, cropped, plain
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.panel_base.reading import Reading
from stepdbg.tui.panels.console import view as console
from stepdbg.tui.panels.console.input import ConsoleInput
from stepdbg.tui.records.exchanges import under_way
from stepdbg.tui.state.snapshot import Snapshot


class ConsolePanel(Reading):
    """It follows the end. The input is mounted when it is first typed into."""

    panel = "console"

    class Begun(Message):
        """Keys are to go to the input."""

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.input: ConsoleInput | None = None
        self._opening = False
        self.rests = False
        """Whether the input was left by escape: the panel has the focus, and keys are keys."""
        self._offered: tuple[str, ...] = ()
        """Names that what is typed could go on as."""
        self._problem = ""
        """Why something was not taken."""
        self._said_of = ""
        """The input as it was when either was said."""

    @property
    def typing(self) -> bool:
        """Whether keys go to the input, or will as soon as it is there: until then they must not step training."""
        if not self.is_attached:
            return False
        focused = self.screen.focused
        begins = focused is self and not self.rests and self.may_type()
        return self._opening or begins or (self.input is not None and focused is self.input)

    def may_type(self) -> bool:
        """Whether there is something that Python could be run in: a session that lives, in the present."""
        snapshot = self.snapshot
        return snapshot is not None and console.why_not(snapshot) == ""

    @property
    def in_focus(self) -> bool:
        """Whether keys come here or to the input."""
        return self.has_focus or self.typing

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The exchanges, what could be typed, the prompt."""
        if snapshot.session.readonly:
            return console.draw(snapshot, frame)
        rows, waits = self._input_rows(), self.waits(snapshot)
        if self.input is not None:
            self.input.display = self.typing
        draft = self.input.text if self.input is not None else ""
        prompts = console.prompts(rows, waits=waits) if self.typing else console.at_rest(snapshot, draft, frame)
        foot = [*self._below(frame), *prompts]
        foot = foot[-max(1, frame.height - 1) :]
        return console.draw(snapshot, frame._replace(height=frame.height - len(foot)))._replace(foot=tuple(foot))

    def waits(self, snapshot: Snapshot | None) -> bool:
        """Whether a command is still run."""
        return snapshot is not None and under_way(snapshot.console)

    def _input_rows(self) -> int:
        """Lines of the input that are shown."""
        lines = self.input.document.line_count if self.input is not None else 1
        return max(1, min(lines, self.size.height // 2))

    def _below(self, frame: Frame) -> list[tuple[Span, ...]]:
        """Between exchanges and prompt: names on offer, or why something was not taken."""
        if self._problem:
            return [cropped((Span(f" {plain(self._problem)}", "warning"),), frame.width)]
        if self._offered:
            words = "  ".join(self._offered[:60])
            return [cropped((Span(f"     {words}", "dim"),), frame.width)]
        return []

    async def type(self) -> None:
        """Put the focus on the input."""
        if not self.is_attached or self.screen.focused not in (self, self.input):
            return  # the user has gone on to another panel
        if not self.may_type():
            self.rests = True
            self.repaint()
            return
        self.rests, self._opening = False, True
        held = self.screen.focused
        if self.input is None:
            self.input = ConsoleInput()
            await self.mount(self.input)
        if self.screen.focused is held:  # nor has the user gone on meanwhile
            self.input.display = True
            self.screen.set_focus(self.input)
        self._opening = False
        self.follow()
        self.repaint()

    def offer(self, text: str, found: Completions) -> None:
        """What the line could go on as: put what is certain, show what is not."""
        if self.input is None:
            return
        self.input.complete_with(text, found.start, found.names)
        self._offered = found.names if len(found.names) > 1 else ()
        self._problem = "" if found.names else "nothing is known that goes on so"
        self._said_of = self.input.text
        self.repaint()

    def done(self) -> None:
        """The command was taken."""
        if self.input is not None:
            self.input.done()
        self.follow()

    def say(self, problem: str) -> None:
        """Why something was not taken."""
        self._problem, self._offered = problem, ()
        self._said_of = self.input.text if self.input is not None else ""
        self.repaint()

    @on(ConsoleInput.Changed)
    def _resize_input(self, event: ConsoleInput.Changed) -> None:
        event.stop()
        if self.input is not None:
            if self.input.text != self._said_of:
                self._offered, self._problem = (), ""
            self.input.styles.height = self._input_rows()
        self.repaint()

    @on(ConsoleInput.Refused)
    def _refused(self, event: ConsoleInput.Refused) -> None:
        event.stop()
        self.say(event.problem)

    def come_back(self) -> None:
        """Who leaves panel after panel goes on doing so: keys stay keys, and none is typed by mistake."""
        self.rests = True

    def on_focus(self) -> None:
        """However else the panel was come to, what is typed goes to its prompt."""
        if not self.rests:
            self.post_message(self.Begun())

    def on_blur(self) -> None:
        """Gone on to another panel: the next time the prompt takes what is typed again."""
        if self.screen.focused is not self.input:
            self.rests = False

    def on_click(self, event: events.Click) -> None:
        """A click anywhere on it begins to type. (Textual calls the handlers of the base classes as well.)"""
        if event.y:  # the title leads elsewhere
            self.rests = False
            self.post_message(self.Begun())

    def offers(self) -> frozenset[str]:
        """A name can be completed where something is typed."""
        found = super().offers()
        return found | {"console_complete"} if self.input is not None and self.input.text else found

    def on_descendant_focus(self) -> None:
        """The prompt lights up."""
        self.repaint()

    def on_descendant_blur(self) -> None:
        """The prompt fades."""
        self.repaint()
