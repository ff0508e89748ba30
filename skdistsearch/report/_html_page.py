"""Pieces of a self-contained HTML page. All text that they are given is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_DPI = 150

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #59636e; --line: #d1d9e0;
  --shade: #f6f8fa }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1;
  --line: #3d444d; --shade: #161b22 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .6rem; border-bottom: 1px solid var(--line) }
p { max-width: 46rem; margin: .5rem 0; overflow-wrap: anywhere }
.text { white-space: pre-wrap }
.soft, figcaption { color: var(--soft); font-size: .9rem }
.scroll { overflow: auto; width: fit-content; max-width: 100%; margin: .6rem 0;
  border: 1px solid var(--line); border-radius: 6px }
details .scroll { max-height: 36rem }
table { border-collapse: collapse; font-size: .9rem }
th, td { padding: .35rem .7rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line) }
thead th { position: sticky; top: 0; background: var(--shade) }
tbody th { font-weight: normal }
tr:last-child > * { border-bottom: 0 }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
td:not(.number) { overflow-wrap: break-word; max-width: 32rem }
summary { cursor: pointer; margin: .6rem 0 }
figure { margin: .8rem 0 }
img { max-width: 100%; height: auto; display: block; background: #fff; border-radius: 6px }
.pair { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(28rem, 100%), 1fr));
  gap: 1rem }
.pair figure { margin: 0 }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .85rem/1.4 ui-monospace, Consolas, monospace }
@media print { :root { --ink: #000; --paper: #fff; --soft: #444; --line: #bbb; --shade: #eee }
  body { font-size: 10pt } main { max-width: none; padding: 0 }
  .scroll { max-height: none; overflow: visible; border: 0 } thead th { position: static }
  .pair { grid-template-columns: 1fr 1fr }
  figure, tr { break-inside: avoid } h2 { break-after: avoid } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
# No script, nothing from elsewhere, whatever a section holds
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, parts: Iterable[str]) -> str:
    """The whole file, from pieces of HTML."""
    body = "\n".join(filter(None, parts))
    return _PAGE.format(title=escape(title), style=_STYLE, policy=_POLICY, body=body)


def heading(text: str) -> str:
    """A title within the page."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "text") -> str:
    """Text, with its own line breaks; ``kind`` is ``"text"`` or ``"soft"``, which is smaller."""
    return f'<p class="{kind}">{escape(text)}</p>'


def side_by_side(pieces: Iterable[str]) -> str:
    """Pieces of HTML in two columns, where there is room."""
    return f'<div class="pair">{"".join(pieces)}</div>'


def folded(title: str, content: str) -> str:
    """A piece of HTML that is seen when its title is clicked."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def table(names: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    """A table that scrolls where it is long; numbers stand to the right."""
    classes = [' class="number"' if each else "" for each in numeric]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>'
        for name, kind in zip(names, classes, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, classes, strict=True))
        + "</tr>"
        for row in rows
    )
    # Who has no mouse scrolls what has the focus
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def pairs(values: Mapping[str, str]) -> str:
    """A table of names and what they stand for."""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td><pre>{escape(value)}</pre></td></tr>'
        for name, value in values.items()
    )
    return f'<div class="scroll" tabindex="0"><table><tbody>\n{rows}\n</tbody></table></div>'


def picture(figure: Any, text: str) -> str:
    """A figure of matplotlib, and the text for who cannot see it."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<figure><img alt="{escape(text)}" src="data:image/png;base64,{data}"></figure>'
