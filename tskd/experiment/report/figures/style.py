"""One look for all figures: SVG whose text stays text, sized to be read on a phone, and the same drawing as PNG."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, QUIET = "#2b2f36", "#8d949e"
FONT = "DejaVu Sans, Segoe UI, Helvetica, Arial, sans-serif"
# inches: at 390 pixels the text of a figure is ten pixels high
WIDTH = 5.0
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
MARKERS = ("o", "s", "D", "^", "v", "P")
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.bottom": False,
    "ytick.left": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    # names are text, dollars and all
    "text.parse_math": False,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    # a line of a thousand steps needs no more points than can be seen
    "path.simplify": True,
    "path.simplify_threshold": 0.4,
}


@dataclass(frozen=True)
class Drawing:
    """A figure: `svg` as an element, `png` as a file; `alt` says in words what it shows, `caption` how to read it."""

    name: str
    alt: str
    caption: str
    svg: str
    png: bytes


def canvas(height: float, title: str) -> Figure:
    """An empty figure, `height` inches below its title."""
    lines = textwrap.wrap(title, 58)
    figure = Figure(figsize=(WIDTH, height + 0.25 * len(lines)), layout="constrained")
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    return figure


def drawing(figure: Figure, name: str, alt: str, caption: str, salt: str) -> Drawing:
    """The figure drawn; `salt` keeps the ids of its parts apart from those of every other figure of a page."""
    svg, png = io.StringIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    # the parts stay where the first drawing has put them
    figure.set_layout_engine("none")
    figure.savefig(png, format="png", dpi=200, facecolor="white")
    return Drawing(name, alt, caption, _lean(svg.getvalue()), png.getvalue())


# points of a line from which on those that are not seen are left out
MANY = 32


def _lean(text: str) -> str:
    """The `<svg>` element without what nothing needs: metadata, groups, decimals, and styles of every single part."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' font-family: [^;"]*;?| transform="rotate\(-0 [^"]*"|; stroke-dashoffset: 0', "", text)
    text = re.sub(r' (x|y)="(-?[\d.]+)"', lambda found: f' {found[1]}="{_short(found[2])}"', text)
    text = re.sub(r' d="([^"]*)"', lambda found: f' d="{_short(found[1])}"', text)
    text = _ungrouped(re.sub(r'<g id="[^"]*"', "<g", text))
    text = re.sub(r'<path d="[^"]*" style="fill: none"/>|<defs>\s*</defs>', "", text)
    # what is the same for all of a figure is described once
    text = text.replace("<svg ", f'<svg font-family="{FONT}" stroke-linejoin="round" ', 1)
    return re.sub(r"\s*\n\s*", "\n", text)


def _ungrouped(text: str) -> str:
    """Without groups that have no attribute, or nothing in them."""
    kept, opened = [], []
    for piece in re.split(r"(<g(?: [^>]*)?>|</g>)", text.replace("<g/>", "")):
        if piece.startswith("<g"):
            opened.append(piece != "<g>")
        if (piece.startswith("<g") and not opened[-1]) or (piece == "</g>" and not opened.pop()):
            continue
        kept.append(piece)
    return "".join(kept)


def _short(path: str) -> str:
    """A path, or a coordinate, to a twentieth of a point; a line as steps from point to point."""
    if re.fullmatch(r"\s*M[^A-Za-z]+(L[^A-Za-z]+)+", path):
        points = np.rint(10 * np.array(re.findall(r"-?[\d.]+", path), dtype="float64").reshape(-1, 2))
        # of rounded points, so that no error adds up
        steps = np.diff(_bends(points), axis=0, prepend=0) / 10
        first, *rest = (f"{x:g} {y:g}" for x, y in steps)
        return f"M{first}l{' '.join(rest)}".replace(" -", "-")
    numbers = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), path)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", numbers).strip()


def _bends(points: np.ndarray) -> np.ndarray:
    """A line of many points `[N, 2]` without those that are no farther than rounding from the line without them."""
    if len(points) < MANY:
        return points
    kept, first = [0], 0
    for last in range(2, len(points)):
        along, between = points[last] - points[first], points[first + 1 : last] - points[first]
        away = np.abs(along[0] * between[:, 1] - along[1] * between[:, 0])
        if (away > max(1.0, float(np.hypot(*along)))).any():
            first = last - 1
            kept.append(first)
    return points[[*kept, len(points) - 1]]


def grid(axis: Axes, along: str) -> None:
    """Quiet lines across the axis `along`."""
    axis.grid(axis=along, color=QUIET, alpha=0.25, linewidth=0.6)  # type: ignore[arg-type]
    axis.set_axisbelow(True)


def names_of_rows(axis: Axes, names: Sequence[str]) -> None:
    """One row a name, the first on top, without an axis line."""
    axis.set_yticks(range(len(names)), ["\n".join(wrapped(name)) for name in names])
    axis.set_ylim(len(names) - 0.45, -0.55)
    axis.spines["left"].set_visible(False)


def wrapped(name: str, width: int = 24) -> list[str]:
    """The lines of a name, none of them wider than `width` letters."""
    return [line for given in name.split("\n") for line in textwrap.wrap(given, width) or [""]]


def named(name: str) -> str:
    """The label of what `legend` is to call by a name: matplotlib drops labels that begin with an underscore."""
    return f"={name}"


def legend(axis: Axes) -> None:
    """A legend above the axis, in as many columns as the width of the figure holds, of what is `named`."""
    names = [label.removeprefix("=") for label in axis.get_legend_handles_labels()[1]]
    columns = max(1, int(10 * WIDTH / (max(map(len, names)) + 5)))
    drawn = axis.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, handlelength=2, columnspacing=1.2, borderaxespad=0.2
    )
    for text, name in zip(drawn.get_texts(), names, strict=True):
        text.set_text(name)


def inline(drawn: Drawing) -> str:
    """The `<svg>` for a page: as wide as it may be, its ink and its font those of the page, be it light or dark."""
    text = re.sub(r' (width|height|font-family|xmlns|version)="[^"]*"', "", drawn.svg[: drawn.svg.index(">")])
    text += ' font-size="10px" fill="currentColor" aria-hidden="true"' + drawn.svg[drawn.svg.index(">") :]
    text = re.sub(rf'(<text style="[^"]*); fill: {INK}"', r'\1"', text).replace("font-size: 10px; ", "")
    text = re.sub(f"(fill|stroke): {INK}", r"\1: currentColor", text)
    # as attributes of their own, which a page without inline styles may have
    return re.sub(r' style="([^"]*)"', lambda found: _attributes(found[1]), text)


def _attributes(style: str) -> str:
    """The properties of a style as attributes of an SVG element."""
    pairs = (part.split(":", 1) for part in style.split(";") if part.strip())
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in pairs)
