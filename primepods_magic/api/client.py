"""The client of the Pods API, with one method per endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import httpx

from .account import SshKey, SummaryPrice, Team, TeamMember, User, Wallet, read_summary
from .disks import DiskCalls
from .errors import InvalidRequest, OutcomeUnknown, RequestRefused, UnexpectedAnswer
from .http.lists import read_models
from .http.pagination import ListPage, is_nothing, read_list_page, read_pages
from .http.parsing import read_created_pod, read_logs, read_model, read_page, read_rows, read_status
from .http.paths import quote_id, try_both
from .http.session import READ_TIMEOUT_S, HttpSession, Params
from .models import HistoryRow, Offer, Page, PodDetails, PodStatusEntry
from .requests import CreateRequest
from .settings import Settings
from .text.log_tail import show_end
from .text.sanitize import sanitize
from .tracebacks import shorten_tracebacks
from .validation.bounds import check_count, page_params, sorting_params

__all__ = ["Client"]

_PODS = "/api/v1/pods/"
# A URL of 4 kB: servers commonly accept 8 kB.
_MAX_IDS_PER_REQUEST = 100
_PAGE_SIZE = 100
_LOG_LINES = 10_000
_REFUSES_TAIL = (400, 413, 422)
_PLAUSIBLE_ENDED_PODS = 100_000


@shorten_tracebacks
class Client(DiskCalls):
    """The Pods API as typed Python. Thread-safe; close it when done, or use it in a ``with`` block.

    Parameters
    ----------
    settings : Settings
        URL and key of the service.
    http : httpx.BaseTransport, optional
        A transport that replaces the network.
    read_timeout_s : float
        Maximum silence of the service in seconds.

    Examples
    --------
    >>> from primepods_magic.api.settings import load_settings
    >>> with Client(load_settings()) as client:                              # doctest: +SKIP
    ...     [pod.name for pod in client.list_all_pods()]
    ['train']
    """

    def __init__(
        self,
        settings: Settings,
        *,
        http: httpx.BaseTransport | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self.settings = settings
        self.session = HttpSession(settings, transport=http, read_timeout_s=read_timeout_s)
        self.on_pods: Callable[[list[PodDetails]], object] | None = None
        """A callback that receives every complete list of pods."""
        self.on_offers: Callable[[list[Offer]], object] | None = None
        """A callback that receives every list of offers."""
        self._log_paths = ("log", "logs")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def create_pod(self, request: CreateRequest) -> PodDetails:
        """Rent a pod (``POST /pods``). A create that the service may have acted on is never sent again.

        Parameters
        ----------
        request : CreateRequest
            The validated body.

        Raises
        ------
        OutcomeUnknown
            The request was sent and no response names the pod: one may exist.
        PodsError
            Any other: the service refused; nothing was created.
        """
        try:
            answer = self.session.request("POST", _PODS, body=request.wire)
            pod = read_created_pod(answer)
        except UnexpectedAnswer as error:
            raise OutcomeUnknown(f"The create was accepted, but its pod is unknown. {error}") from None
        if not pod.id:
            raise OutcomeUnknown("The create was accepted, but the response names no pod")
        return pod

    def list_pods(self, *, offset: int = 0, limit: int = 100) -> Page[PodDetails]:
        """Return one page of the pods that this key can see (``GET /pods``), in the service's order."""
        params = page_params(limit, offset)
        return read_page(PodDetails, self.session.request("GET", _PODS, params=params))

    def list_all_pods(
        self, *, budget_s: float | None = None, read_timeout_s: float | None = None
    ) -> list[PodDetails]:
        """Return all pods that this key can see, each once; no pod that lives throughout is missing.

        Parameters
        ----------
        budget_s, read_timeout_s : float, optional
            Seconds to keep retrying each request, and maximum silence of the service in seconds.

        Raises
        ------
        UnexpectedAnswer
            The list does not end, or changes so much that it cannot be read.
        """
        pods = read_models(
            self.session, PodDetails, _PODS, "pods", budget_s=budget_s, read_timeout_s=read_timeout_s
        )
        if self.on_pods is not None:
            self.on_pods(pods)
        return pods

    def get_pod(
        self, pod_id: str, *, budget_s: float | None = None, read_timeout_s: float | None = None
    ) -> PodDetails:
        """Return one pod (``GET /pods/{pod_id}``); other parameters as in `list_all_pods`.

        Raises
        ------
        NotFound
            The pod is gone, or was never visible to this key.
        UnexpectedAnswer
            The response describes another pod.
        """
        answer = self.session.request(
            "GET", _pod_path(pod_id), budget_s=budget_s, read_timeout_s=read_timeout_s
        )
        pod = read_model(PodDetails, answer)
        if pod.id not in (None, "", pod_id):
            raise UnexpectedAnswer(
                f"The service returned the pod {sanitize(pod.id)} instead of {sanitize(pod_id)}"
            )
        return pod if pod.id else pod.model_copy(update={"id": pod_id})

    def pod_status(
        self,
        pod_ids: Iterable[str],
        *,
        budget_s: float | None = None,
        read_timeout_s: float | None = None,
    ) -> list[PodStatusEntry]:
        """Return what changes while pods start (``GET /pods/status``), with 100 ids in one request.

        Parameters
        ----------
        pod_ids : iterable of str
            Ids of pods. Unknown ids are missing from the result.
        budget_s, read_timeout_s : float, optional
            As in `list_all_pods`.
        """
        ids = list(pod_ids)
        rows: list[PodStatusEntry] = []
        for first in range(0, len(ids), _MAX_IDS_PER_REQUEST):
            query: Params = {"pod_ids": ids[first : first + _MAX_IDS_PER_REQUEST]}
            answer = self.session.request(
                "GET", f"{_PODS}status", params=query, budget_s=budget_s, read_timeout_s=read_timeout_s
            )
            rows += read_status(answer)
        return rows

    def pod_history(
        self,
        *,
        limit: int = 100,
        offset: int = 0,
        sort_by: Literal["terminatedAt", "createdAt"] = "terminatedAt",
        sort_order: Literal["asc", "desc"] = "desc",
        budget_s: float | None = None,
        read_timeout_s: float | None = None,
    ) -> Page[HistoryRow]:
        """Return one page of ended pods and their costs (``GET /pods/history``), as `list_all_pods`."""
        params: Params = {**page_params(limit, offset), **sorting_params(sort_by, sort_order)}
        answer = self.session.request(
            "GET", f"{_PODS}history", params=params, budget_s=budget_s, read_timeout_s=read_timeout_s
        )
        return read_page(HistoryRow, answer)

    def history_rows(
        self, *, limit: int, offset: int, pause: Callable[[float, bool], object] | None = None
    ) -> Page[dict[str, Any]]:
        """Return one page of raw history rows, oldest termination first, to read very many.

        Parameters
        ----------
        limit, offset : int
            The rows to return.
        pause : callable, optional
            Waits before a retry; receives the minimum wait in seconds and whether the status was 429.
        """
        params: Params = {**page_params(limit, offset), **sorting_params("terminatedAt", "asc")}
        answer = self.session.request("GET", f"{_PODS}history", params=params, wait_before_retry=pause)
        # Taken for an empty list, a missing one would mean that nothing was ever billed.
        if is_nothing(answer):
            raise UnexpectedAnswer("The service returned nothing instead of a list")
        return read_rows(answer)

    def all_history(
        self,
        *,
        sort_by: Literal["terminatedAt", "createdAt"] = "terminatedAt",
        sort_order: Literal["asc", "desc"] = "desc",
        offset: int = 0,
        limit: int | None = None,
        until: Callable[[list[HistoryRow]], bool] | None = None,
    ) -> tuple[list[HistoryRow], int]:
        """Return rows of the history and the number of rows in all.

        Parameters
        ----------
        sort_by, sort_order, offset, limit :
            The order of the rows, and which of them to return; all by default.
        until : callable, optional
            Receives all rows so far; no further page is read once it returns true.
        """
        order = sorting_params(sort_by, sort_order)
        max_rows, start = check_count("limit", limit), check_count("offset", offset, 0)

        def fetch(_: int, rows: int) -> ListPage[HistoryRow]:
            wanted = _PAGE_SIZE if max_rows is None else min(_PAGE_SIZE, max_rows - rows)
            query: Params = {**order, "offset": start + rows, "limit": wanted}
            answer = self.session.request("GET", f"{_PODS}history", params=query)
            return read_list_page(HistoryRow, answer, is_first=not start + rows)

        read = partial(read_pages, fetch, "ended pods", plausible_rows=_PLAUSIBLE_ENDED_PODS, until=until)
        rows, total = read(start=start, max_rows=max_rows)
        return rows, max(total, start + len(rows))

    def pod_logs(self, pod_id: str, *, tail: int | None = None, keep: int | None = None) -> str:
        """Return a pod's logs as a terminal shows them (``GET /pods/{pod_id}/log``, else ``/logs``).

        Parameters
        ----------
        pod_id : str
            Id of the pod.
        tail, keep : int, optional
            The number of last lines to request, or to keep of the service's default.
        """
        tail, keep, (first, second) = check_count("tail", tail), check_count("keep", keep), self._log_paths
        payload, is_second = try_both(
            lambda: self._fetch_log(pod_id, first, tail), lambda: self._fetch_log(pod_id, second, tail)
        )
        if is_second:
            self._log_paths = (second, first)
        return show_end(read_logs(payload), tail or keep, self.session.hide_end)

    def _fetch_log(self, pod_id: str, path: str, tail: int | None) -> Any:
        url_path = f"{_pod_path(pod_id)}/{path}"
        # Request more lines than wanted: the service counts every state of a redrawn line.
        if tail is not None and tail < _LOG_LINES:
            try:
                return self.session.request("GET", url_path, params={"tail": _LOG_LINES}, is_log=True)
            except (InvalidRequest, RequestRefused) as error:
                if error.status_code not in _REFUSES_TAIL:
                    raise
        return self.session.request("GET", url_path, params={"tail": tail}, is_log=True)

    def delete_pod(self, pod_id: str, *, budget_s: float | None = None) -> None:
        """Terminate a pod (``DELETE /pods/{pod_id}``), with retries for ``budget_s``; it is gone soon after.

        Raises
        ------
        NotFound
            The pod is gone already, or was never visible to this key.
        """
        self.session.request("DELETE", _pod_path(pod_id), budget_s=budget_s)

    def list_offers(
        self,
        *,
        gpu_type: str | None = None,
        gpu_count: int | None = None,
        regions: Iterable[str] = (),
        socket: str | None = None,
        security: str | None = None,
        data_center_id: str | None = None,
        cloud_id: str | None = None,
        disks: Iterable[str] = (),
        multi_node: bool = False,
        budget_s: float | None = None,
    ) -> list[Offer]:
        """Return all offers of one machine each, or ``multi_node`` ones, in the service's order.

        Each request is retried for ``budget_s``, 20 s by default.
        """
        path = f"/api/v1/availability/{'multi-node' if multi_node else 'gpus'}"
        params: Params = {
            "gpu_type": gpu_type,
            "gpu_count": check_count("gpu_count", gpu_count),
            "regions": list(regions) or None,
            "socket": socket,
            "security": security,
            "data_center_id": data_center_id,
            "cloud_id": cloud_id,
            "disks": list(disks) or None,
        }

        def fetch(number: int, _: int) -> ListPage[Offer]:
            query: Params = {**params, "page": number, "page_size": _PAGE_SIZE}
            answer = self.session.request("GET", path, params=query, budget_s=budget_s)
            return read_list_page(Offer, answer, is_first=number == 1, may_be_nothing=True)

        offers, _ = read_pages(fetch, "offers")
        if multi_node:
            offers = [offer.model_copy(update={"is_multinode": True}) for offer in offers]
        if self.on_offers is not None:
            self.on_offers(offers)
        return offers

    def gpu_summary(self, *, multi_node: bool = False) -> dict[tuple[str, int, str], SummaryPrice]:
        """Return the lowest prices by GPU type, count, and region or ``"cheapest"``."""
        kind = "multi-node" if multi_node else "gpu"
        return read_summary(self.session.request("GET", f"/api/v1/availability/{kind}-summary"))

    def whoami(self) -> User:
        """Return the owner and the rights of the key (``GET /user/whoami``)."""
        payload = self.session.request("GET", "/api/v1/user/whoami")
        data = payload.get("data") if isinstance(payload, dict) else None
        if not isinstance(data, dict):
            raise UnexpectedAnswer("The service does not say whose key this is")
        return read_model(User, data)

    def list_teams(self) -> list[Team]:
        """Return the user's teams (``GET /user/teams``)."""
        return read_models(self.session, Team, "/api/v1/user/teams", "teams")

    def list_team_members(self, team_id: str) -> list[TeamMember]:
        """Return the members of a team (``GET /teams/{team_id}/members``)."""
        return read_models(
            self.session, TeamMember, f"/api/v1/teams/{quote_id(team_id)}/members", "team members"
        )

    def list_ssh_keys(self) -> list[SshKey]:
        """Return the keys that can log in to this account's pods (``GET /ssh_keys``)."""
        return read_models(self.session, SshKey, "/api/v1/ssh_keys/", "SSH keys")

    def add_ssh_key(self, name: str, public_key: str) -> SshKey:
        """Add a public key to pods that are rented from now on (``POST /ssh_keys``)."""
        body = {"name": name, "publicKey": public_key}
        return read_model(SshKey, self.session.request("POST", "/api/v1/ssh_keys/", body=body))

    def make_ssh_key_primary(self, key_id: str) -> None:
        """Make a key the default for new pods (``PATCH /ssh_keys/{id}``, else ``/ssh_keys/{id}/primary``)."""
        path = f"/api/v1/ssh_keys/{quote_id(key_id)}"
        try_both(
            lambda: self.session.request("PATCH", path, body={"isPrimary": True}),
            lambda: self.session.request("PATCH", f"{path}/primary"),
        )

    def delete_ssh_key(self, key_id: str) -> None:
        """Remove a key from the account (``DELETE /ssh_keys/{id}``)."""
        self.session.request("DELETE", f"/api/v1/ssh_keys/{quote_id(key_id)}")

    def wallet(self, *, team_id: str | None = None, limit: int = 20, offset: int = 0) -> Wallet:
        """Return the balance and the latest billings (``GET /billing/wallet``).

        Parameters
        ----------
        team_id : str, optional
            The team; the user's own wallet by default.
        limit, offset : int
            The billings to return, at most 100.
        """
        params: Params = {"teamId": team_id, **page_params(limit, offset)}
        return read_model(Wallet, self.session.request("GET", "/api/v1/billing/wallet", params=params))


def _pod_path(pod_id: str) -> str:
    return _PODS + quote_id(pod_id)
