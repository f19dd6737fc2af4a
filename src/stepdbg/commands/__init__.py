"""The headless commands, and what the screen needs done before it opens."""
