"""The style sheet of a launcher, in the colors of the current theme."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["style_html"]

# JupyterLab takes arrow keys, Enter, and letters as notebook commands outside of text fields, even in lists
# and on buttons, unless the element has this attribute, which widgets cannot set. With Ctrl or Cmd they stay
# commands, such as save. Installed once per page; if a page forbids inline scripts, only these keys fail.
_KEEP_KEYS_SCRIPT = (
    "window.primepodsKeys ??= window.addEventListener('keydown', event =&gt; {"
    "const at = event.target;"
    "if (at.matches?.('.primepods-launcher :is(select, button, input[type=checkbox], [tabindex])'))"
    " at.toggleAttribute('data-lm-suppress-shortcuts', !event.ctrlKey &amp;&amp; !event.metaKey)"
    "}, true) ?? true"
)


@cache
def _read_sheet() -> str:
    return files(__package__).joinpath("launcher.css").read_text(encoding="utf-8")


def style_html(name: str) -> str:
    """Return the style sheet as HTML; it also hides the static fallback of the launcher `name`."""
    hidden = f".primepods-last-{name} {{ display: none }}"
    return f'<style onload="{_KEEP_KEYS_SCRIPT}">{_read_sheet()}{hidden}</style>'
