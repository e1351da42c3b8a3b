"""Charts as SVG, without a library: what benchmarks show in the documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_COLOURS = ("#7f7f7f", "#bcbd22", "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")
_LEFT, _WIDTH, _ROW, _TOP, _KEY = 150, 520, 22, 40, 18


def dot_chart(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[float]]) -> str:
    """A row of dots for each name, one a column, at shares of 0 to 1."""
    bottom = _TOP + _ROW * len(rows)
    height = bottom + 30 + _KEY * len(columns)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 30}" '
        f'height="{height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for tenth in range(0, 11, 2):
        x = _LEFT + _WIDTH * tenth / 10
        parts.append(f'<line x1="{x}" x2="{x}" y1="{_TOP - 8}" y2="{bottom}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x}" y="{bottom + 14}" text-anchor="middle">{tenth * 10} %</text>')
    for number, (name, shares) in enumerate(rows.items()):
        y = _TOP + _ROW * number + 4
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        for column, share in enumerate(shares):
            colour = _COLOURS[column % len(_COLOURS)]
            x = _LEFT + _WIDTH * share
            parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{colour}" opacity="0.85"/>')
    for column, name in enumerate(columns):
        y = bottom + 34 + _KEY * column
        colour = _COLOURS[column % len(_COLOURS)]
        parts.append(f'<circle cx="{_LEFT}" cy="{y - 4}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 12}" y="{y}">{escape(name)}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
