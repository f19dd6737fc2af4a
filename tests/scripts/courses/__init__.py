"""What each program is expected to run: its phases, spelled out update by update."""

from __future__ import annotations

from scripts.courses.course import Course
from scripts.courses.loops import AUTOGRAD, EVALUATION, FORWARD, LOSS, ZERO_GRAD
from scripts.courses.steps import BY_HAND, CLOSURES_AND_AMP, OPTIMIZER, SCHEDULER
from scripts.courses.surroundings import BEHAVIOUR, DATA

__all__ = ["COURSES", "Course"]

COURSES = {
    **ZERO_GRAD,
    **FORWARD,
    **LOSS,
    **EVALUATION,
    **AUTOGRAD,
    **CLOSURES_AND_AMP,
    **SCHEDULER,
    **BY_HAND,
    **OPTIMIZER,
    **DATA,
    **BEHAVIOUR,
}
"""By the name of the program."""
