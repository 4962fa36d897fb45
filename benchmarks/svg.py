"""Draws bars as SVG: a small, plain chart that a browser and a code host can show without help."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from benchmarks.result import number

_WIDTH: Final = 720
_LEFT: Final = 190
_RIGHT: Final = 120
_ROW: Final = 26
_TOP: Final = 44
_DWARFS: Final = 3
_OURS: Final = "#0b7a75"
_THEIRS: Final = "#9aa5b1"
_INK: Final = "#1f2933"
_FONT: Final = f'font-family="system-ui, sans-serif" font-size="13" fill="{_INK}"'


@dataclass(frozen=True, slots=True)
class Bar:
    """One row."""

    label: str
    value: float | None
    least: float | None = None
    most: float | None = None
    ours: bool = False
    note: str = ""


def bars(title: str, unit: str, rows: Sequence[Bar], *, mark: float | None = None, mark_label: str = "") -> str:
    """Return the chart: a bar a row with its spread, and a line where the bound is."""
    scale = (_WIDTH - _LEFT - _RIGHT) / _longest(rows, mark)
    height = _TOP + _ROW * len(rows) + 26
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" {_FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="600">{escape(title)} ({escape(unit)})</text>',
    ]
    for place, row in enumerate(rows):
        parts += _row(row, _TOP + _ROW * place, scale)
    if mark is not None:
        x = _LEFT + mark * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{height - 24}" stroke="#c2410c" '
            'stroke-dasharray="4 3"/>'
        )
        parts.append(
            f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" fill="#c2410c">{escape(mark_label)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _longest(rows: Sequence[Bar], mark: float | None) -> float:
    """Return what the whole width stands for: the largest value, unless it would dwarf all others."""
    ordered = sorted([row.most or row.value for row in rows if row.value is not None] + [mark or 0.0])
    if len(ordered) > 2 and ordered[-1] > _DWARFS * ordered[-2]:
        ordered.pop()
    return ordered[-1] or 1.0


def _row(row: Bar, top: float, scale: float) -> list[str]:
    middle = top + _ROW / 2
    weight = ' font-weight="600"' if row.ours else ""
    parts = [f'<text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end"{weight}>{escape(row.label)}</text>']
    if row.value is None:
        return [*parts, f'<text x="{_LEFT + 4}" y="{middle + 4}" fill="#7b8794">{escape(row.note)}</text>']
    width = min(max(1.0, row.value * scale), float(_WIDTH - _LEFT - _RIGHT))
    colour = _OURS if row.ours else _THEIRS
    parts.append(f'<rect x="{_LEFT}" y="{top + 5}" width="{width:.1f}" height="{_ROW - 10}" rx="2" fill="{colour}"/>')
    end = width
    if row.value * scale > width + 1:  # the bar is cut, and says so
        parts.append(f'<path d="M{_LEFT + width - 24:.1f} {top + 23} l8 -20" stroke="#ffffff" stroke-width="4"/>')
    elif row.least is not None and row.most is not None and row.most > row.least:
        end = max(width, row.most * scale)
        parts.append(
            f'<line x1="{_LEFT + row.least * scale:.1f}" x2="{_LEFT + row.most * scale:.1f}" y1="{middle}" '
            f'y2="{middle}" stroke="{_INK}"/>'
        )
    parts.append(f'<text x="{_LEFT + end + 6:.1f}" y="{middle + 4}"{weight}>{number(row.value)}</text>')
    return parts
