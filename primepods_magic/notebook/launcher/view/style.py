"""The style sheet of a launcher, in the colors of the current theme."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["style_html"]

# JupyterLab takes arrow keys, Enter, and letters as notebook commands outside of text fields, even in lists
# and on buttons, unless the element has this attribute, which widgets cannot set. With Ctrl or Cmd they stay
# commands, such as save. Browsers scroll a list to the selected line, but not the box around the list.
# Installed once per page; if a page forbids inline scripts, only these two fail.
_KEYS_SCRIPT = (
    "window.primepodsKeys ??= [window.addEventListener('keydown', event =&gt; {"
    "const at = event.target;"
    "if (at.matches?.('.primepods-launcher :is(select, button, input[type=checkbox], [tabindex])'))"
    " at.toggleAttribute('data-lm-suppress-shortcuts', !event.ctrlKey &amp;&amp; !event.metaKey)"
    "}, true), window.addEventListener('input', event =&gt; {"
    "if (event.target.matches?.('.primepods-table select'))"
    " event.target.selectedOptions[0]?.scrollIntoView({block: 'nearest', inline: 'nearest'})"
    "}, true)]"
)


@cache
def _read_sheet() -> str:
    return files(__package__).joinpath("launcher.css").read_text(encoding="utf-8")


def style_html(name: str) -> str:
    """Return the style sheet as HTML; it also hides the static fallback of the launcher `name`."""
    hidden = f".primepods-last-{name} {{ display: none }}"
    return f'<style onload="{_KEYS_SCRIPT}">{_read_sheet()}{hidden}</style>'
