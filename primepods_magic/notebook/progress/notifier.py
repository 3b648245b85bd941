"""Notifications of what a person waits for: by the browser, or by the bell of a terminal."""

from __future__ import annotations

import uuid
from html import escape
from typing import TYPE_CHECKING

from primepods_magic.api.text.sanitize import shorten
from primepods_magic.pods.watching.snapshot import ChangeKind

from .rows import describe_change

if TYPE_CHECKING:
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["ASK_HTML", "describe_news", "news_html"]

_KINDS = (ChangeKind.READY, ChangeKind.FAILED, ChangeKind.GONE)
_MAX_CHARS = 200
# Once per page, also if the widget is shown again. Without permission, the title of the page says it.
_NOTIFY = """
const {key, text} = this.dataset;
if (!sessionStorage.getItem(key)) {
  sessionStorage.setItem(key, "1");
  if (window.Notification?.permission === "granted") {
    new Notification(text);
  } else {
    const before = document.title, restore = () => { document.title = before };
    document.title = "● " + text;
    document.hasFocus() ? setTimeout(restore, 10000) : addEventListener("focus", restore, {once: true});
  }
}
"""
_ASK = "if (window.Notification?.permission === 'default') Notification.requestPermission()"
ASK_HTML = f'<style onload="{escape(_ASK)}"></style>'
"""HTML of a widget that asks for the permission to notify, if that is open."""


def describe_news(snapshot: Snapshot) -> str:
    """Describe the pods that have just become ready, failed or terminated; empty if there are none."""
    news = [describe_change(change) for change in snapshot.changes if change.kind in _KINDS]
    return shorten(". ".join(news), _MAX_CHARS)


def news_html(text: str) -> str:
    """Render a notification as HTML of a widget; nothing of it is saved in a notebook."""
    key = f"primepods-{uuid.uuid4().hex}"
    return f'<style data-key="{key}" data-text="{escape(text)}" onload="{escape(_NOTIFY)}"></style>'
