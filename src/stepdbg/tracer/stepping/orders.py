"""The orders that go into a phase, and what is said of a stop inside one."""

from __future__ import annotations

from collections.abc import Callable

from stepdbg.protocol import messages as m
from stepdbg.tracer.objects.registry import Registry

ORDERS: tuple[m.Go, ...] = ("into", "operator")
"""The orders that go into a phase."""

Describes = Callable[[Registry], m.Inner]
"""Tells what an inner stop is about, once everything alive has been listed by name."""
