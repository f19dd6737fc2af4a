"""The commands of the palette: in the order of the registry, and what is called as was typed before all others."""

from __future__ import annotations

from textual.command import DiscoveryHit, Hit, Hits
from textual.content import Content
from textual.system_commands import SystemCommandsProvider

_MEANT = 500.0
"""The score of a command that the typed words mean, whatever the command is called."""
_LEAST = 3
"""Letters from which on words are looked for by their meaning."""
_CALLED_SO = 1_000.0
"""More than any score of Textual's fuzzy match (8.2: a few times the letters of the query)."""


class Commands(SystemCommandsProvider):
    """Textual's own provider, but for the order: `up` finds up before page up, `Loss` the panel."""

    async def discover(self) -> Hits:
        """All that applies, the most needed first, while nothing is typed (Textual would sort by the alphabet)."""
        for title, help_text, callback, *_ in self.app.get_system_commands(self.screen):
            yield DiscoveryHit(title, callback, help=help_text)

    async def search(self, query: str) -> Hits:
        """The commands that match, those that are called so before all others.

        Args:
            query: What was typed.
        """
        from stepdbg.tui.actions.meanings import means
        from stepdbg.tui.actions.registry import ACTIONS

        matcher = self.matcher(query)
        meant = {action.label for action in ACTIONS if means(action, query)}
        for title, help_text, callback, *_ in self.app.get_system_commands(self.screen):
            name = title.rpartition(" (")[0] or title
            score = matcher.match(title)
            if len(query.strip()) >= _LEAST and name in meant:
                score += _MEANT
            if name.casefold() == query.casefold():
                score = _CALLED_SO + (name == query)
            if score > 0:
                shown = matcher.highlight(title) if matcher.match(title) > 0 else Content(title)
                yield Hit(score, shown, callback, help=help_text)
