"""What the command line takes, in words: all of it for `--help`, a command's own part for `stepdbg trace --help`."""

from __future__ import annotations

SYNOPSES = {
    "": "stepdbg [OPTIONS] TARGET...",
    "run": "stepdbg run --headless [OPTIONS] TARGET...",
    "trace": "stepdbg trace [-o FILE] [OPTIONS] TARGET...",
    "check": "stepdbg check [OPTIONS] TARGET...",
    "ls": "stepdbg ls",
    "attach": "stepdbg attach [--ascii] [SESSION]",
    "stop": "stepdbg stop SESSION",
}
"""The commands, and how each is written."""
_DOES = {
    "": "step through the training that TARGET runs",
    "run": "run it with no screen, until a breakpoint",
    "trace": "run it and write a line for each boundary between two phases",
    "check": "run its first updates and say what is wrong",
    "ls": "list the sessions",
    "attach": "come back to a session (the newest, if not named)",
    "stop": "end a session and its training",
}
_TARGET = """\
TARGET is one of
  script.py [args...]              any training script, unchanged
  script.py:generator [args...]    a generator function that yields the names of its phases
  -m module [args...]              a module, as with python -m
  command [args...]                any program that starts Python: torchrun, accelerate launch, bash train.sh
  --demo [args...]                 the training of a digit classifier that comes with stepdbg
Options come before TARGET; `--` may stand between them.
"""
_OPTIONS = """\
options
  -b, --break SPEC  stop there; may be repeated. SPEC: backward, "after step of opt", "update 40", train.py:48,
                    "backward if loss > 2", "forward of model.fc1", "when model.fc1.weight changes": docs/breakpoints.md
  -w, --watch EXPR  evaluate that at each stop and, in a free run, after the step of some updates; may be repeated.
                    EXPR: acc, "grad_norm()", 'ratio("model.fc1.weight")': docs/watches.md
  --stop-on WHAT    nan: where the first NaN or infinity turns up, and say what produced it; finding: where a rule of
                    docs/rules finds something new (every phase is looked at, which is slower); never: at no exception
                    (default: exception); several with commas between them
  --python PYTHON   the interpreter that runs the target (default: the one that stepdbg runs in)
  --readonly        forbid edits
  --async-conditions
                    let conditions of breakpoints on what lies on a GPU be read a boundary late, without waiting for it
  --keep PERCENT    of the free memory, for what tensors were before a phase changed them (default: 25; 0: none)
"""
_HEADLESS = """\
  --headless        with no screen; without it `stepdbg run` is `stepdbg`
  --watch-csv FILE  write what is watched there (update, watch, value), not as lines on stderr
"""
_SCREEN_OPTIONS = """\
  --fresh           begin without what was kept of this script (breakpoints, layout), and keep nothing
  --ascii           draw with plain characters only
  --no-hints        no guided first run
  --keys            print every action with its keys, as the settings name them
  --version         print the version
  --help            print this
"""
_TRACE_OPTIONS = """\
options of trace
  -o FILE           write the lines there, not to stderr; one JSON object each
  --updates N       end the target after N updates, with status 0
  --effects         tell what each phase did to which object
  --fingerprints    tell the fingerprint of everything alive at each boundary
"""
_CHECK_OPTIONS = """\
options of check
  --updates N       end the target after N updates (default: 20)
  --select RULES    check these rules only, with commas between them: docs/rules
  --ignore RULES    do not check these; `# stepdbg: ignore[RULE]` at the end of a line does it for that line
  --overfit-batch   train a copy of the process on one batch alone: does its loss fall?
  --probe           call the model once more in a copy of the process: do the samples of a batch mix?
  --format FORMAT   text, json, github (annotations for its workflows) or sarif (default: text)
  --json            the same as --format json: the report alone on stdout, what the target writes there on stderr
The exit status is 0 where nothing was found, 1 where something was, 2 where nothing could be checked.
"""
_PYTHON = "  --python PYTHON   the interpreter that runs the target (default: the one that stepdbg runs in)\n"


def usage(command: str = "") -> str:
    """The help of a command; of all of them, if none is named."""
    if command:
        first = f"usage: {SYNOPSES[command]}\n{_DOES[command]}\n"
        match command:
            case "run":
                return f"{first}\n{_TARGET}\n{_OPTIONS}{_HEADLESS}"
            case "trace":
                return f"{first}\n{_TARGET}\n{_TRACE_OPTIONS}{_PYTHON}"
            case "check":
                return f"{first}\n{_TARGET}\n{_CHECK_OPTIONS}{_PYTHON}"
            case "attach":
                return f"{first}\n  --ascii           draw with plain characters only\n"
        return first
    width = max(map(len, SYNOPSES.values())) + 2
    lines = [f"{'usage:' if not name else '      '} {words:<{width}}{_DOES[name]}" for name, words in SYNOPSES.items()]
    return "\n".join([*lines, "", _TARGET, _OPTIONS + _SCREEN_OPTIONS, _TRACE_OPTIONS, _CHECK_OPTIONS.rstrip()]) + "\n"
