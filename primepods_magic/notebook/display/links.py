"""Links to a pod's services, and the account that a display belongs to; addresses are checked first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from primepods_magic.api.http.urls import read_web_url
from primepods_magic.api.text.sanitize import safe_html

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["Origin", "links_html", "list_links", "origin_html", "origin_of"]

_SERVICE_HOST = "api.primeintellect.ai"
_DASHBOARD = "https://app.primeintellect.ai/dashboard"
_PILL = "display:inline-block;padding:0 6px;border-radius:8px;font-size:11px;font-weight:600;line-height:16px"
_MARKS = {
    "SANDBOX": "border:1px solid rgba(128,128,128,0.6)",
    "LIVE": "border:1px solid #b26a00;background:#b26a00;color:#ffffff",
}


@dataclass(frozen=True)
class Origin:
    """The account that pods belong to: ``SANDBOX`` or ``LIVE``, and the page of its dashboard, if known."""

    mark: str
    dashboard_url: str | None = None

    @property
    def is_sandbox(self) -> bool:
        """True if nothing is billed."""
        return self.mark == "SANDBOX"


def origin_of(connection: Connection) -> Origin:
    """Return the origin of what a connection shows."""
    if connection.is_sandbox:
        return Origin("SANDBOX")
    is_known = urlsplit(connection.settings.base_url).hostname == _SERVICE_HOST
    return Origin("LIVE", _DASHBOARD if is_known else None)


def origin_html(origin: Origin) -> str:
    """Render the mark of an origin, with what it means as its title."""
    meaning = "simulated, nothing is billed" if origin.is_sandbox else "pods are billed"
    return f'<span title="{meaning}" style="{_PILL};{_MARKS[origin.mark]}">{origin.mark}</span>'


def list_links(pod: PodDetails) -> Iterator[tuple[str, str]]:
    """Yield the names and URLs of what can be opened on a ready pod."""
    url = read_web_url(pod.jupyter_url)
    if url:
        yield "Open Jupyter", url
    target = next(filter(None, pod.connections), None)
    if target is not None:
        host = f"[{target.host}]" if ":" in target.host else target.host
        remote = quote(f"{target.user}@{host}:{target.port}", safe="@:[]")
        yield "Open in VS Code", f"vscode://vscode-remote/ssh-remote+{remote}/?windowId=_blank"


def links_html(links: Iterable[tuple[str, str]]) -> str:
    """Render links side by side."""
    style = "white-space:nowrap;text-decoration:underline;color:var(--jp-content-link-color,#1976d2)"
    style += ";margin-right:14px"
    return "".join(
        f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer" style="{style}">'
        f"{safe_html(name)}</a>"
        for name, url in links
    )
