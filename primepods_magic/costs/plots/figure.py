"""Figures on white paper that display themselves in notebooks, inverted in dark themes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import NotConfigured
from primepods_magic.api.text.sanitize import sanitize

from .colors import DARK_FILTER, PAPER, TEXT
from .labels import escape_text, font_families, unescape_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "WIDTH_IN",
    "apply_style",
    "need_matplotlib",
    "new_figure",
    "row_legend",
    "show_message",
    "stack_legend",
]

WIDTH_IN = 8.0
_DPI = 100
_SHARPER = 2
_LEGEND_COLUMNS = 4

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": TEXT,
    "axes.facecolor": "none",
    "axes.formatter.use_mathtext": False,
    "axes.grid": False,
    "axes.labelcolor": TEXT,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.xmargin": 0.0,
    "figure.facecolor": PAPER,
    "font.family": ["sans-serif"],
    "font.size": 9,
    "font.weight": "normal",
    "grid.alpha": 0.2,
    "grid.color": TEXT,
    "grid.linestyle": "-",
    "grid.linewidth": 0.7,
    "hatch.linewidth": 1.1,
    "legend.facecolor": "none",
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.labelcolor": TEXT,
    "lines.linewidth": 1.8,
    "path.effects": [],
    "path.sketch": None,
    "savefig.bbox": None,
    "savefig.edgecolor": "none",
    "savefig.facecolor": PAPER,
    "text.color": TEXT,
    "text.parse_math": True,
    "text.usetex": False,
    "timezone": "UTC",
    "xtick.color": TEXT,
    "xtick.labelcolor": TEXT,
    "xtick.labelsize": 9,
    "ytick.color": TEXT,
    "ytick.labelcolor": TEXT,
    "ytick.labelsize": 9,
}


def need_matplotlib() -> None:
    """Raise NotConfigured if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise NotConfigured("plots need matplotlib: pip install 'primepods_magic[plot]'") from error


@contextmanager
def apply_style() -> Iterator[None]:
    """Apply our rcParams inside the block, and restore the user's afterwards."""
    need_matplotlib()
    import matplotlib as mpl

    style: Any = {**_STYLE, "font.sans-serif": list(font_families())}
    with mpl.rc_context(style):
        yield


def new_figure(
    summary: str, title: str, *, parts: Sequence[tuple[str, str]] = (), height_in: float = 3.7
) -> tuple[Figure, Axes]:
    """Create a figure with one pair of axes; call it, and draw on it, inside `apply_style`.

    The `summary` stands for the figure if pictures cannot be shown. The alternative text of the picture is
    the `title` and the `parts`, which are names, as they are drawn, and amounts.
    """
    figure = _figure_class()(figsize=(WIDTH_IN, height_in), dpi=_DPI, layout="constrained")
    figure.summary = sanitize(summary)
    amounts = ", ".join(f"{unescape_text(name)} {amount}" for name, amount in parts)
    figure.alt = sanitize(f"{title}. {amounts}" if amounts else title)
    figure.suptitle(escape_text(title), x=0.008, ha="left", fontsize=10.5, fontweight="bold")
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.08, h_pad=0.08)
    return figure, figure.subplots()


def show_message(axes: Axes, words: str) -> None:
    """Show a message instead of a plot, in a low figure."""
    figure: Any = axes.figure
    figure.set_size_inches(WIDTH_IN, 1.4)
    axes.set_axis_off()
    axes.text(0.5, 0.5, escape_text(words), transform=axes.transAxes, ha="center", va="center")


def stack_legend(axes: Axes, handles: list[Any], labels: list[str]) -> None:
    """Put a legend beside the axes; the first series is the lowest, as in a stack."""
    axes.legend(
        handles[::-1],
        labels[::-1],
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        handlelength=1.1,
        handleheight=1.0,
        borderaxespad=0.0,
        labelspacing=0.45,
    )


def row_legend(figure: Figure, handles: list[Any], labels: list[str]) -> None:
    """Put a legend in rows below the axes, for plots with text beside the axes."""
    ncols = min(len(labels), _LEGEND_COLUMNS)
    figure.legend(handles, labels, loc="outside lower center", ncols=ncols, handlelength=1.3)


@cache
def _figure_class() -> Any:
    """Create the figure class on first use, since matplotlib may be missing."""
    from matplotlib.figure import Figure

    class PodsFigure(Figure):
        """A figure that displays itself, sharp, in a notebook, and as one line of text elsewhere."""

        summary = ""
        alt = ""

        def __repr__(self) -> str:
            return f"Figure: {self.summary}"

        __str__ = __repr__

        def draw(self, renderer: Any) -> None:
            # Tick labels are created while drawing, and would use the style set at that time.
            with apply_style():
                super().draw(renderer)

        def savefig(self, *args: Any, **kwargs: Any) -> None:
            with apply_style():
                super().savefig(*args, **kwargs)

        def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            picture = BytesIO()
            self.savefig(picture, format="png", dpi=_SHARPER * _DPI)
            png = _compress_picture(picture)
            width, height = (round(inches * _DPI) for inches in self.get_size_inches())
            about = {"width": width, "height": height, "alt": self.alt}
            html = _render_html(png, self.alt, width, height)
            bundle = {"text/plain": repr(self), "text/html": html, "image/png": png}
            return bundle, {"image/png": about}

    return PodsFigure


_DARK_THEMES = (
    '[data-jp-theme-light="false"]',  # JupyterLab, Notebook, nbconvert
    ".vscode-dark",
    "html[theme=dark]",  # Colab
)


def _compress_picture(picture: BytesIO) -> bytes:
    """Compress a picture to a palette, which holds all its colors but rare shades, and drop its metadata."""
    from PIL import Image

    small = BytesIO()
    colors = (
        Image.open(picture).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    colors.save(small, "png", optimize=True)
    return small.getvalue()


def _render_html(png: bytes, alt: str, width: int, height: int) -> str:
    """Render a picture with its alternative text; pages with a dark theme invert it, and keep its hues."""
    dark = ",".join(f"{theme} img.primepods-plot" for theme in _DARK_THEMES)
    return (
        f"<style>{dark}{{filter:{DARK_FILTER}}}</style>"
        f'<img class="primepods-plot" alt="{escape(alt)}" width="{width}" height="{height}" '
        f'style="max-width:100%;height:auto" src="data:image/png;base64,{b64encode(png).decode()}">'
    )
