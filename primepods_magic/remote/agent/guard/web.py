"""The service as the guard on the pod reaches it: one pod is read, and terminated."""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any

from .clock import PodClock, make_anchor

__all__ = ["PodsService", "WebTrouble", "find_obstacle", "is_live", "read_status", "try_power"]

_TIMEOUT_S = 10.0
_WHOLE_S = 20.0
_MAX_BYTES = 1 << 20
_MAX_SKEW_S = 600.0
_HEX = "0123456789abcdef"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_STATUSES = {
    401: "the key is not valid (401)",
    403: "the key has no permission for it (403)",
    404: "it does not exist (404)",
    429: "there were too many requests (429)",
}


class WebTrouble(Exception):
    """A request failed; the message says why, in words that have no key."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would send the key somewhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class PodsService:
    """Requests about pods, each with an end.

    Parameters
    ----------
    base_url : str
        Over TLS, except on this computer itself.
    key : str
    """

    def __init__(self, base_url: str, key: str) -> None:
        parts = urllib.parse.urlsplit(base_url)
        is_local = parts.hostname in _LOOPBACK
        if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
            raise WebTrouble("the service is not reached over https")
        self._base_url = base_url.rstrip("/")
        self._key = key
        handlers: list[Any] = [_NoRedirects]
        if is_local:
            handlers.append(urllib.request.ProxyHandler({}))
        if parts.scheme == "https":
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
        self._opener = urllib.request.build_opener(*handlers)
        self.service_s: float | None = None
        """The service's time in its last successful response, in seconds since 1970."""

    def read_pod(self, pod_id: str) -> dict[str, Any]:
        """Return what the service says of a pod; raise WebTrouble."""
        try:
            facts = json.loads(self._send("GET", pod_id))
        except (ValueError, RecursionError):
            raise WebTrouble("the response is not JSON") from None
        if isinstance(facts, dict) and "id" not in facts and isinstance(facts.get("data"), dict):
            facts = facts["data"]
        if not isinstance(facts, dict):
            raise WebTrouble("the response is not an object")
        return facts

    def terminate_pod(self, pod_id: str) -> None:
        """Ask to terminate a pod; raise WebTrouble unless that is confirmed."""
        self._send("DELETE", pod_id)

    def _send(self, method: str, pod_id: str) -> bytes:
        """Send a request in a thread of its own: no timeout of the system ends a slow one."""
        found: list[Any] = []
        thread = threading.Thread(target=self._exchange, args=(method, pod_id, found), daemon=True)
        thread.start()
        thread.join(_WHOLE_S)
        result = found[0] if found else WebTrouble(f"there is no response within {_WHOLE_S:.0f} s")
        if isinstance(result, Exception):
            raise result
        return bytes(result)

    def _exchange(self, method: str, pod_id: str, found: list[Any]) -> None:
        url = f"{self._base_url}/api/v1/pods/{urllib.parse.quote(pod_id, safe='')}"
        headers = {"Authorization": f"Bearer {self._key}", "User-Agent": "primepods_magic (guard on a pod)"}
        request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - https, or here
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                data = response.read(_MAX_BYTES)
                self._note_date(response.headers.get("Date"))
            found.append(data)
        except urllib.error.HTTPError as error:
            default = f"the service fails ({error.code})" if error.code >= 500 else f"refused ({error.code})"
            found.append(WebTrouble(_STATUSES.get(error.code, default), error.code))
            error.close()
        except Exception as error:  # noqa: BLE001 - all of them mean that the service cannot be asked
            reason = getattr(error, "reason", error)
            word = "TLS fails" if isinstance(reason, ssl.SSLError) else "the service cannot be reached"
            found.append(WebTrouble(f"{word} ({type(reason).__name__})"))

    def _note_date(self, text: str | None) -> None:
        try:
            self.service_s = parsedate_to_datetime(text or "").timestamp()
        except (TypeError, ValueError, IndexError, OverflowError):
            self.service_s = None


def is_live(facts: dict[str, Any]) -> bool:
    """Return whether a pod is neither terminating nor terminated."""
    return read_status(facts) not in ("DELETING", "TERMINATED")


def read_status(facts: dict[str, Any]) -> str:
    """Return the status of a pod, in capitals."""
    return str(facts.get("status"))[:40].upper()


def try_power(given: dict[str, Any]) -> dict[str, Any]:
    """Return why a guard with this key could not end this pod from here, or else its clocks."""
    order = given["order"]
    try:
        service = PodsService(order["base_url"], given["key"])
    except WebTrouble as error:
        return {"obstacle": str(error)}
    obstacle = find_obstacle(service, order["pod_id"])
    if obstacle:
        return {"obstacle": obstacle}
    assert service.service_s is not None
    anchor = make_anchor(service.service_s)
    if abs(anchor["ahead_s"]) > _MAX_SKEW_S and not order["is_sandbox"]:
        minutes = f"{abs(anchor['ahead_s']) / 60:,.0f} min"
        return {"obstacle": f"the clocks of the pod and the service differ by {minutes}. Set the pod's clock"}
    return {"obstacle": "", "anchor": anchor}


def find_obstacle(service: PodsService, pod_id: str, clock: PodClock | None = None) -> str:
    """Return why this key could not end this pod from here; empty if it could.

    Read the pod, then ask to terminate one that does not exist: 404 proves the permission.
    """
    try:
        facts = service.read_pod(pod_id)
    except WebTrouble as error:
        return f"the pod cannot be read: {error}"
    if facts.get("id") != pod_id:
        return "the service shows another pod instead of this one"
    if not is_live(facts):
        return f"the service does not show the pod as live ({read_status(facts)})"
    if service.service_s is None:
        return "the service's responses have no date"
    if clock is not None:
        clock.note_service_time(service.service_s)
    try:
        service.terminate_pod(_make_random_id(pod_id))
    except WebTrouble as error:
        return "" if error.status == 404 else f"a termination would fail: {error}"
    return "the service confirms the termination of a pod that does not exist"


def _make_random_id(pod_id: str) -> str:
    """Return an id that no pod has, in the form of this one: some services check the form first."""
    if sum(letter in _HEX for letter in pod_id) < len(secrets.token_hex(8)):
        return secrets.token_hex(16)
    return "".join(secrets.choice(_HEX) if letter in _HEX else letter for letter in pod_id)
