"""The style sheet of a launcher: its own classes only, in the colours of whatever theme is around it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["style_html"]

# JupyterLab takes keys such as the arrows, Enter and letters for commands to the notebook wherever no text is
# typed, also in lists and on buttons, unless the element says that it needs them; widgets cannot say so.
# With Ctrl or Cmd they stay commands, such as saving. Once on each page; where a page allows no scripts in
# elements, everything but those keys works.
_KEEPS_ITS_KEYS = (
    "window.primepodsKeys ??= window.addEventListener('keydown', event =&gt; {"
    "const at = event.target;"
    "if (at.matches?.('.primepods-launcher :is(select, button, input[type=checkbox], [tabindex])'))"
    " at.toggleAttribute('data-lm-suppress-shortcuts', !event.ctrlKey &amp;&amp; !event.metaKey)"
    "}, true) ?? true"
)


@cache
def _sheet() -> str:
    return files(__package__).joinpath("launcher.css").read_text(encoding="utf-8")


def style_html(name: str) -> str:
    """The style sheet as HTML, which also hides what a saved notebook shows in the launcher's place.

    Parameters
    ----------
    name : str
        Tells this launcher from others on the page.
    """
    hidden = f".primepods-last-{name} {{ display: none }}"
    return f'<style onload="{_KEEPS_ITS_KEYS}">{_sheet()}{hidden}</style>'
