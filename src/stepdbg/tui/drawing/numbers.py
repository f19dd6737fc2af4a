"""Figures as people read them: few digits, a unit, columns that line up."""

from __future__ import annotations

import math


def figure(value: float | None, width: int = 9) -> str:
    """A number in at most `width` characters (6 or more), about four digits of it; `-` where there is none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(value) if len(str(value)) <= width else f"{value:.2e}"
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        digits = max(0, 3 - math.floor(math.log10(abs(value)))) if abs(value) >= 1 else 4
        words = f"{value:.{digits}f}"
    else:
        words = f"{value:.2e}".replace("e-0", "e-").replace("e+0", "e")
    for digits in (1, 0):
        if len(words) > width:
            words = f"{value:.{digits}e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return words


def count(number: int) -> str:
    """`1,234` up to a million, then `1.2 M`."""
    if number < 1_000_000:
        return f"{number:,}"
    for unit in ("M", "G", "T"):
        if number < 10 ** {"M": 9, "G": 12, "T": 15}[unit]:
            return f"{number / 10 ** {'M': 6, 'G': 9, 'T': 12}[unit]:.1f} {unit}"
    return f"{number:.1e}"


def size(number: int) -> str:
    """Bytes as `512 bytes`, `1.2 MB`: a B alone would read as billions."""
    if number < 1000:
        return f"{number} byte{'' if number == 1 else 's'}"
    value = float(number)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"
    raise AssertionError("the last unit takes everything")


def milliseconds(ms: float | None) -> str:
    """A time in the unit that suits it: `0.08 ms`, `3.1 ms`, `1.4 s`."""
    if ms is None:
        return ""
    if ms < 0.1:
        return f"{ms:.2f} ms"
    if ms < 100:
        return f"{ms:.1f} ms"
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s"


def span(seconds: float) -> str:
    """A time in its two largest units: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def shape(sizes: tuple[int, ...], times: str = "×") -> str:
    """`32×16`; one dimension reads as `[8]`, so that it is no value, none as `scalar`, and a size that is no single
    number as `?`.
    """
    words = times.join("?" if size < 0 else str(size) for size in sizes) if sizes else "scalar"
    return f"[{words}]" if len(sizes) == 1 else words


def plural(number: int, noun: str, more: str = "") -> str:
    """`1 gradient`, `8 gradients`, `2 entries`."""
    return f"{count(number)} {noun if number == 1 else more or noun + 's'}"
