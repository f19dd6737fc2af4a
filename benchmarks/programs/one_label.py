"""The least Textual app there is: what first paint is compared with."""

from textual.app import App, ComposeResult
from textual.widgets import Label


class OneLabel(App[None]):
    """One label."""

    def compose(self) -> ComposeResult:
        yield Label("one label")


if __name__ == "__main__":
    OneLabel().run()
