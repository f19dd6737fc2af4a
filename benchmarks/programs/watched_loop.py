"""A loop without torch, in whatever Python it is run by: bare, and with a line of it waited for; prints JSON.

    python watched_loop.py ROUNDS SIZE

An update calls functions and runs lines, as a training loop does between two kernels; SIZE says how many.
"""

from __future__ import annotations

import json
import sys
import time

from stepdbg.tracer.lines.watch import line_watch

UPDATES = 20
NEVER = compile("loss > 1e300", "<condition>", "eval")


def layer(values, factor):
    """Some lines."""
    total = 0.0
    for value in values:
        total += value * factor
    return total


def forward(values, size):
    """Some calls."""
    out = 0.0
    for number in range(size):
        out += layer(values, number)
    return out


def train(updates, size):
    """The loop."""
    values = [float(number) for number in range(20)]
    loss = 0.0
    for update in range(updates):
        out = forward(values, size)
        loss = abs(out) / (update + 1)
        del out  # watched
    return loss


def line_of(mark):
    """The line that ends with that comment."""
    with open(__file__) as opened:
        return next(number for number, line in enumerate(opened, 1) if line.rstrip().endswith("# " + mark))


def reached(frame, line):
    """Look at the condition, as a breakpoint does."""
    if eval(NEVER, {}, dict(frame.f_locals)):
        raise AssertionError


def main():
    """Measure both ways in turn."""
    rounds, size = map(int, sys.argv[1:])
    line = line_of("watched")
    watch = line_watch(lambda file: frozenset((line,)) if file == __file__ else None, reached, lambda _: False, print)
    times = {"bare": [], "watched": []}
    train(UPDATES, size)
    for _ in range(rounds):
        for way in times:
            if way == "watched":
                watch.watch()
                train(1, size)
            began = time.process_time()
            train(UPDATES, size)
            times[way].append((time.process_time() - began) / UPDATES)
            watch.let_go()
    print(json.dumps({way: min(seconds) for way, seconds in times.items()}))


main()
