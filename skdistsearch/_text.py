"""Text for tables, pictures and cards (standard library only)."""

from __future__ import annotations


def truncate(text: str, length: int) -> str:
    """Return the text, cut to at most ``length`` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def as_one_line(value: object) -> str:
    """Return a value as text in which each run of white space is one blank."""
    return " ".join(str(value).split())


def shorten(value: object, length: int) -> str:
    """Return a value as text on one line, cut to at most ``length`` characters."""
    return truncate(as_one_line(value), length)


def pluralize(number: int, noun: str) -> str:
    """Return a number and its noun, such as "1 fit" or "2,500 fits"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
