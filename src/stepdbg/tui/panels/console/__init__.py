"""The console: what was said, and the line that is typed."""
