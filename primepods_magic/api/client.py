"""The Pods API, one method per endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, TypeVar

import httpx

from .account import Disk, SshKey, SummaryPrice, Team, TeamMember, User, Wallet, read_summary
from .errors import InvalidRequest, OutcomeUnknown, RequestRefused, UnexpectedAnswer
from .fields.lenient_types import ApiModel
from .http.pagination import ListPage, is_nothing, read_list_page, read_pages, read_whole_list
from .http.parsing import read_created_pod, read_logs, read_model, read_page, read_rows, read_status
from .http.paths import quote_id, try_both
from .http.session import READ_TIMEOUT_S, HttpSession, Params
from .models import HistoryRow, Offer, Page, PodDetails, PodStatusEntry
from .requests import CreateRequest
from .settings import Settings
from .text.log_tail import show_end
from .text.sanitize import sanitize
from .validation.bounds import check_count, check_seconds, page_params, sorting_params

__all__ = ["Client"]

A = TypeVar("A", bound=ApiModel)
_PODS = "/api/v1/pods/"
# An address of 4 kB: servers commonly take eight.
_IDS_IN_ONE_REQUEST = 100
_PAGE = 100
# Of lines that were redrawn, the service may count every state.
_LOG_LINES = 10_000
_TOO_MUCH = (400, 413, 422)
_BELIEVED_ENDED_PODS = 100_000


class Client:
    """The Pods API as typed Python. Thread-safe; close it when done, or use it in a ``with`` block.

    Parameters
    ----------
    settings : Settings
        Where to, and with which key.
    http : httpx.BaseTransport, optional
        What carries the requests instead of the network.
    read_timeout_s : float
        The longest that the service may be silent.

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
        read_timeout_s = check_seconds("read_timeout_s", read_timeout_s)
        self.transport = HttpSession(settings, http=http, read_timeout_s=read_timeout_s)
        self.on_pods: Callable[[list[PodDetails]], object] | None = None
        """Is given every full list of pods that comes in."""
        self.on_offers: Callable[[list[Offer]], object] | None = None
        """Is given every list of offers that comes in."""
        self._log_paths = ("log", "logs")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def create_pod(self, request: CreateRequest, *, look: Callable[[], object] | None = None) -> PodDetails:
        """``POST /pods``: rent a pod. Sent at most once where the service may have acted on it; ``look``, as
        `HttpSession.request` has it, looks for the pod before a create is sent again after 429.

        Raises
        ------
        OutcomeUnknown
            The request left, and no answer came that says which pod there is: one may exist.
        OutOfStock, PaymentRequired, PermissionDenied, InvalidRequest, …
            The service refused; nothing was created.
        """
        try:
            answer = self.transport.request("POST", _PODS, body=request.wire, look=look)
            pod = read_created_pod(answer)
        except UnexpectedAnswer as error:
            raise OutcomeUnknown(f"the create was accepted, but {error}") from None
        if not pod.id:
            raise OutcomeUnknown("the create was accepted, but the answer names no pod")
        return pod

    def list_pods(self, *, offset: int = 0, limit: int = 100) -> Page[PodDetails]:
        """``GET /pods``: one page of the pods that this key can see, in the service's order."""
        params = page_params(limit, offset)
        return read_page(PodDetails, self.transport.request("GET", _PODS, params=params))

    def list_all_pods(
        self, *, budget_s: float | None = None, read_timeout_s: float | None = None
    ) -> list[PodDetails]:
        """All pods that this key can see, each once; none that lived through the whole read is missing.

        Parameters
        ----------
        budget_s : float, optional
            For how long each page may be tried again.
        read_timeout_s : float, optional
            The longest that the service may be silent.

        Raises
        ------
        UnexpectedAnswer
            The list does not end, or moves so much that it cannot be read.
        """
        pods = self._read_list(PodDetails, _PODS, "pods", budget_s=budget_s, read_timeout_s=read_timeout_s)
        if self.on_pods is not None:
            self.on_pods(pods)
        return pods

    def get_pod(
        self, pod_id: str, *, budget_s: float | None = None, read_timeout_s: float | None = None
    ) -> PodDetails:
        """``GET /pods/{pod_id}``: one pod; ``budget_s`` and ``read_timeout_s`` as `list_all_pods`.

        Raises
        ------
        NotFound
            It is gone, or was never visible to this key.
        UnexpectedAnswer
            The response is about another pod. One that names no pod is about this one.
        """
        answer = self.transport.request(
            "GET", _pod_path(pod_id), budget_s=budget_s, read_timeout_s=read_timeout_s
        )
        pod = read_model(PodDetails, answer)
        if pod.id not in (None, "", pod_id):
            raise UnexpectedAnswer(
                f"asked for the pod {sanitize(pod_id)}, the service returned another one ({sanitize(pod.id)})"
            )
        return pod if pod.id else pod.model_copy(update={"id": pod_id})

    def pod_status(
        self,
        pod_ids: Iterable[str],
        *,
        budget_s: float | None = None,
        read_timeout_s: float | None = None,
    ) -> list[PodStatusEntry]:
        """``GET /pods/status``: what changes while pods come up, for a hundred ids in one request.

        Parameters
        ----------
        pod_ids : iterable of str
            Which pods. An id that the service does not know is missing from the answer.
        budget_s : float, optional
            For how long each request may be tried again.
        read_timeout_s : float, optional
            The longest that the service may be silent.
        """
        ids = list(pod_ids)
        rows: list[PodStatusEntry] = []
        for first in range(0, len(ids), _IDS_IN_ONE_REQUEST):
            query: Params = {"pod_ids": ids[first : first + _IDS_IN_ONE_REQUEST]}
            answer = self.transport.request(
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
        """``GET /pods/history``: one page of what has ended, and what it cost; ``budget_s`` and
        ``read_timeout_s`` as `list_all_pods`."""
        params: Params = {**page_params(limit, offset), **sorting_params(sort_by, sort_order)}
        answer = self.transport.request(
            "GET", f"{_PODS}history", params=params, budget_s=budget_s, read_timeout_s=read_timeout_s
        )
        return read_page(HistoryRow, answer)

    def history_rows(
        self, *, limit: int, offset: int, pause: Callable[[float, bool], object] | None = None
    ) -> Page[dict[str, Any]]:
        """``GET /pods/history`` from the oldest termination on: one page of rows as they came, for reading
        very many.

        Parameters
        ----------
        limit, offset : int
            Which rows; the service may grant fewer.
        pause : callable, optional
            As `HttpSession.request` has it.
        """
        params: Params = {**page_params(limit, offset), **sorting_params("terminatedAt", "asc")}
        answer = self.transport.request("GET", f"{_PODS}history", params=params, pause=pause)
        # Taken for an empty list, nothing would mean that nothing was ever billed.
        if is_nothing(answer):
            raise UnexpectedAnswer("the service answered with nothing where a list belongs")
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
        """As many rows of the history as asked for, all unless limited, and how many there are in all. No
        page is read once ``until`` is true of all rows so far."""
        order = sorting_params(sort_by, sort_order)
        max_rows, start = check_count("limit", limit), check_count("offset", offset, 0)

        def fetch(_: int, rows: int) -> ListPage[HistoryRow]:
            wanted = _PAGE if max_rows is None else min(_PAGE, max_rows - rows)
            query: Params = {**order, "offset": start + rows, "limit": wanted}
            answer = self.transport.request("GET", f"{_PODS}history", params=query)
            return read_list_page(HistoryRow, answer, is_first=not start + rows)

        read = partial(read_pages, fetch, "ended pods", believed_rows=_BELIEVED_ENDED_PODS, until=until)
        rows, total = read(start=start, max_rows=max_rows)
        return rows, max(total, start + len(rows))

    def pod_logs(self, pod_id: str, *, tail: int | None = None, keep: int | None = None) -> str:
        """The logs of a pod as a terminal shows them, clean: ``GET /pods/{pod_id}/log?tail=`` as published,
        or ``/logs``, as on the specification's page, where the service has that path only.

        Parameters
        ----------
        pod_id : str
            The id of the pod.
        tail : int, optional
            The number of last lines to return, each as it was last redrawn.
        keep : int, optional
            The same, of what the service sends unless asked for more.
        """
        tail, keep, (first, second) = check_count("tail", tail), check_count("keep", keep), self._log_paths
        payload, is_second = try_both(
            lambda: self._log_payload(pod_id, first, tail), lambda: self._log_payload(pod_id, second, tail)
        )
        if is_second:
            self._log_paths = (second, first)
        return show_end(read_logs(payload), tail or keep, self.transport.hide_end)

    def _log_payload(self, pod_id: str, path: str, tail: int | None) -> Any:
        place = f"{_pod_path(pod_id)}/{path}"
        # The service counts lines as they were written; of one that was redrawn it takes many to show one.
        if tail is not None and tail < _LOG_LINES:
            try:
                return self.transport.request("GET", place, params={"tail": _LOG_LINES}, is_log=True)
            except (InvalidRequest, RequestRefused) as refused:
                if refused.status_code not in _TOO_MUCH:
                    raise
        return self.transport.request("GET", place, params={"tail": tail}, is_log=True)

    def delete_pod(self, pod_id: str) -> None:
        """``DELETE /pods/{pod_id}``: end a pod. The service has accepted; it is gone a little later.

        Raises
        ------
        NotFound
            It is gone already, or was never visible to this key.
        """
        self.transport.request("DELETE", _pod_path(pod_id))

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
    ) -> list[Offer]:
        """``GET /availability/gpus``: what can be rented, all pages, in the service's order."""
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
            query: Params = {**params, "page": number, "page_size": _PAGE}
            answer = self.transport.request("GET", "/api/v1/availability/gpus", params=query)
            return read_list_page(Offer, answer, is_first=number == 1, may_be_nothing=True)

        offers, _ = read_pages(fetch, "offers")
        if self.on_offers is not None:
            self.on_offers(offers)
        return offers

    def gpu_summary(self) -> dict[tuple[str, int, str], SummaryPrice]:
        """``GET /availability/gpu-summary``: the lowest prices by GPU type, count, and region or
        ``"cheapest"``."""
        return read_summary(self.transport.request("GET", "/api/v1/availability/gpu-summary"))

    def whoami(self) -> User:
        """``GET /user/whoami``: whose key this is, and what it may do."""
        payload = self.transport.request("GET", "/api/v1/user/whoami")
        data = payload.get("data") if isinstance(payload, dict) else None
        if not isinstance(data, dict):
            raise UnexpectedAnswer("the service does not say whose key this is")
        return read_model(User, data)

    def list_teams(self) -> list[Team]:
        """``GET /user/teams``: the teams that I am in."""
        return self._read_list(Team, "/api/v1/user/teams", "teams")

    def list_team_members(self, team_id: str) -> list[TeamMember]:
        """``GET /teams/{team_id}/members``: who is in a team."""
        return self._read_list(TeamMember, f"/api/v1/teams/{quote_id(team_id)}/members", "team members")

    def list_ssh_keys(self) -> list[SshKey]:
        """``GET /ssh_keys``: the keys that can log in to this account's pods."""
        return self._read_list(SshKey, "/api/v1/ssh_keys/", "SSH keys")

    def add_ssh_key(self, name: str, public_key: str) -> SshKey:
        """``POST /ssh_keys``: let the owner of a public key log in to pods that are rented from now on."""
        body = {"name": name, "publicKey": public_key}
        return read_model(SshKey, self.transport.request("POST", "/api/v1/ssh_keys/", body=body))

    def make_ssh_key_primary(self, key_id: str) -> None:
        """``PATCH /ssh_keys/{id}``: make a key the one that pods take where none is named; or
        ``PATCH /ssh_keys/{id}/primary``, if the service has that path only."""
        path = f"/api/v1/ssh_keys/{quote_id(key_id)}"
        try_both(
            lambda: self.transport.request("PATCH", path, body={"isPrimary": True}),
            lambda: self.transport.request("PATCH", f"{path}/primary"),
        )

    def list_disks(self) -> list[Disk]:
        """``GET /disks``: the disks that this key can see, attached or not."""
        return self._read_list(Disk, "/api/v1/disks/", "disks")

    def wallet(self, *, team_id: str | None = None, limit: int = 20, offset: int = 0) -> Wallet:
        """``GET /billing/wallet``: the balance, mine or a team's, and what was billed last.

        Parameters
        ----------
        team_id : str, optional
            Whose; mine unless given.
        limit, offset : int
            Which of the billings, at most 100 of them.
        """
        params: Params = {"teamId": team_id, **page_params(limit, offset)}
        return read_model(Wallet, self.transport.request("GET", "/api/v1/billing/wallet", params=params))

    def _read_list(
        self,
        model: type[A],
        path: str,
        what: str,
        *,
        budget_s: float | None = None,
        read_timeout_s: float | None = None,
    ) -> list[A]:
        """Read all rows of a list, proven to be complete."""

        def fetch(offset: int, limit: int) -> ListPage[A]:
            answer = self.transport.request(
                "GET",
                path,
                params={"offset": offset, "limit": limit},
                budget_s=budget_s,
                read_timeout_s=read_timeout_s,
            )
            return read_list_page(model, answer, is_first=not offset)

        return read_whole_list(fetch, what)


def _pod_path(pod_id: str) -> str:
    return _PODS + quote_id(pod_id)
