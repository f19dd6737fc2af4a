"""The dialogs: each asks one thing, shows what will happen, and is imported only when it opens."""
