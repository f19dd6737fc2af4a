"""Python code as lines whose spans say what they are in the language."""

from __future__ import annotations

from functools import lru_cache

from stepdbg.tui.drawing.lines import Line, Span, plain


@lru_cache(maxsize=8)
def highlighted(words: str) -> tuple[Line, ...]:
    """Every line of a Python file as spans whose roles say what they are in the language."""
    # Pygments takes 30 ms to import: only once there is a file to show.
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]
    from pygments.token import Token  # type: ignore[import-untyped]

    roles = (
        (Token.Comment, "code.comment"), (Token.Literal.String.Doc, "code.comment"), (Token.Keyword, "code.keyword"),
        (Token.Literal.String, "code.string"), (Token.Literal.Number, "code.number"),
        (Token.Name.Function, "code.name"), (Token.Name.Class, "code.name"), (Token.Name.Decorator, "code.name"),
        (Token.Operator.Word, "code.keyword"), (Token.Name.Builtin, "code.builtin"),
    )  # fmt: skip
    lines: list[list[Span]] = [[]]
    for kind, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(words.expandtabs(4)):
        role = next((name for parent, name in roles if kind in parent), "")
        first, *rest = value.split("\n")
        if first:
            lines[-1].append(Span(plain(first), role))
        for part in rest:
            lines.append([Span(plain(part), role)] if part else [])
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    return tuple(tuple(_joined(line)) for line in lines)


def _joined(line: list[Span]) -> list[Span]:
    """Neighbours of one role as one span: fewer spans are fewer bytes to the terminal."""
    joined: list[Span] = []
    for span in line:
        if joined and joined[-1].role == span.role:
            joined[-1] = span._replace(text=joined[-1].text + span.text)
        else:
            joined.append(span)
    return joined
