"""What cannot be done for the user at a stop, with the reason in words."""

from __future__ import annotations


class Refused(Exception):
    """An edit that cannot be; its text tells the user why."""
