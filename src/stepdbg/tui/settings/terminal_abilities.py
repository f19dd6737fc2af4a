"""What the terminal can draw: where its locale has no UTF-8, plain characters come by themselves, and that is said."""

from __future__ import annotations

from collections.abc import Mapping

_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python puts into `LC_CTYPE` where the locale is C (PEP 538)."""
SAMPLE = "─▶●▁⣿"


def why_plain(environment: Mapping[str, str], encoding: str) -> str:
    """Why only plain characters can be drawn, with the remedy; empty where all can.

    Where no variable names a locale, the terminal is taken for a present-day one.

    Args:
        environment: The process's.
        encoding: How Python writes to the terminal.
    """
    remedy = "; drawn with plain characters (`ascii = false` in config.toml draws the others all the same)"
    if environment.get("TERM") == "linux":
        return f"the console has no signs for the charts{remedy}"
    for variable in ("LC_ALL", "LC_CTYPE", "LANG"):
        locale = environment.get(variable, "")
        if not locale or (variable == "LC_CTYPE" and locale in _COERCED):
            continue
        if _lacks_utf8(locale):
            return f"the locale {variable}={locale} has no UTF-8{remedy}"
        break
    try:
        SAMPLE.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return f"Python writes {encoding} to this terminal{remedy}"
    return ""


def _lacks_utf8(locale: str) -> bool:
    name, dot, codeset = locale.partition("@")[0].partition(".")
    if not dot:
        return name in ("C", "POSIX")
    return codeset.lower().replace("-", "") not in ("utf8", "")
