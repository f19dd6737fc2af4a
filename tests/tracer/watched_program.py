"""Waits for lines of its own, in whatever Python it is run by, without torch; prints what was reached as JSON."""

from __future__ import annotations

import functools
import json
import sys
import threading

from stepdbg.tracer.lines.watch import line_watch

wanted: set[int] = set()
reached: list[tuple[int, str]] = []
failed: list[Exception] = []


def note(frame, line):
    reached.append((line, frame.f_code.co_name))
    assert frame.f_lineno == line
    if frame.f_code.co_name == "hidden":
        raise RuntimeError("of ours")


watch = line_watch(
    lambda file: frozenset(wanted) if file == __file__ else None,
    note,
    lambda code: code.co_name == "compiled",
    failed.append,
)


def line_of(mark):
    with open(__file__) as opened:
        return next(number for number, line in enumerate(opened, 1) if line.rstrip().endswith("# " + mark))


def wait_for(*marks):
    wanted.clear()
    wanted.update(map(line_of, marks))
    reached.clear()
    assert watch.watch() == ""


def running(at_the_third):
    total = 0
    for number in range(6):
        if number == 2:
            at_the_third()
        total += number  # running
    return total


def calls():
    first = max(  # call
        1,
        2,
    )
    several = [
        number + 1  # comprehension
        for number in range(3)
    ]
    line = [number * 2 for number in several]  # one line
    return first, line


def generator():
    yield 1
    yield 2  # generator
    yield 3


def recursion(depth):
    if depth:
        recursion(depth - 1)
    return depth  # recursion


def compiled():
    return 1  # compiled


def leaves():
    try:
        raise ValueError  # raises
    except ValueError:
        return "caught"  # handler
    finally:
        len("x")  # finally


class Body:
    size = len("body")  # class


@functools.cache
def hidden():
    return 5  # hidden


def counted(work):
    reached.clear()
    work()
    return [name for _, name in reached]


def later():
    """Code that comes into being while lines are waited for, and bears the name of this file."""
    text = "\n" * (line_of("later") - 1) + "value = 1\n"
    exec(compile(text, __file__, "exec"), {})  # later


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


found = {}
found["a loop that runs already"] = counted(lambda: running(lambda: wait_for("running")))
found["again, after it was run"] = counted(lambda: running(lambda: None))
wait_for("call", "comprehension", "one line")
found["once per statement, each time in a comprehension"] = counted(calls)
begun = generator()
next(begun)
wait_for("generator")
found["a generator that was begun before"] = counted(lambda: [*begun])
wait_for("recursion", "compiled", "raises", "handler", "finally", "hidden", "later")
found["recursion"] = counted(lambda: recursion(3))
found["what a compiler has made"] = counted(compiled)
found["exceptions through the frame"] = counted(leaves)
found["a function that a decorator hides"] = counted(hidden)
found["code that comes later"] = counted(later)
if sys.version_info < (3, 12):
    found["in another thread"] = counted(lambda: in_a_thread(lambda: recursion(0)))
watch.let_go()
found["let go"] = counted(lambda: (recursion(3), running(lambda: None)))
wait_for("recursion")
found["taken up again"] = counted(lambda: recursion(1))
watch.let_go()
if sys.version_info >= (3, 12):
    taken = [number for number in range(6) if sys.monitoring.get_tool(number) is None]
    found["tools left"] = taken
    for number in taken:
        sys.monitoring.use_tool_id(number, f"tool {number}")
    found["no tool is left"] = watch.watch()
else:
    found["trace left"] = sys.gettrace()
    mine = lambda *_: None  # noqa: E731
    sys.settrace(mine)
    found["another traces"] = watch.watch()
    found["it stays"] = sys.gettrace() is mine
    sys.settrace(None)
found["what fails of ours"] = [*map(str, failed)]
assert "torch" not in sys.modules
print(json.dumps(found))
