"""Building blocks of a self-contained HTML page.

All functions escape the text that they are given.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
# No scripts and no requests, for any content of the sections
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def build_page(title: str, parts: Iterable[str]) -> str:
    """Return the whole page, made of fragments of HTML; empty ones are skipped."""
    body = "\n".join(filter(None, parts))
    return _PAGE.format(title=escape(title), style=_STYLE, policy=_POLICY, body=body)


def heading(text: str) -> str:
    """Return a heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: Literal["text", "soft"] = "text") -> str:
    """Return a paragraph; ``"text"`` keeps line breaks, ``"soft"`` is small and grey."""
    return f'<p class="{kind}">{escape(text)}</p>'


def side_by_side(parts: Iterable[str]) -> str:
    """Return fragments of HTML in columns, as many as there is room for."""
    return f'<div class="pair">{"".join(parts)}</div>'


def collapsible(title: str, content: str) -> str:
    """Return a fragment of HTML that a click on its title shows."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def data_table(names: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    """Return a scrollable table with a header; ``numeric`` columns are aligned to the right."""
    classes = [' class="number"' if is_numeric else "" for is_numeric in numeric]
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
    return _scrollable(f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>")


def key_value_table(values: Mapping[str, str]) -> str:
    """Return a scrollable table of two columns, without a header."""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td><pre>{escape(value)}</pre></td></tr>'
        for name, value in values.items()
    )
    return _scrollable(f"<table><tbody>\n{rows}\n</tbody></table>")


def embed_figure(figure: Figure, text: str) -> str:
    """Return a figure as an embedded image, with alternative text for screen readers."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<figure><img alt="{escape(text)}" src="data:image/png;base64,{data}"></figure>'


def _scrollable(content: str) -> str:
    # tabindex lets readers without a mouse focus and scroll it
    return f'<div class="scroll" tabindex="0">{content}</div>'
