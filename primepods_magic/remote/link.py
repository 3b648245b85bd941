"""The connection to a pod's agent: it reconnects automatically, and neither loses nor repeats anything."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from primepods_magic.api.errors import InvalidRequest, PodsError, SshFailed
from primepods_magic.api.text.sanitize import sanitize, shorten

from . import agent_archive
from .agent.frames import BadFrame, Header, pack_frame
from .agent_archive import COMMAND
from .channel import AgentChannel, start_thread
from .frame_checks import UNNUMBERED, check_frame
from .limits.following import Following, FrameHandler
from .limits.requests import Requests
from .ssh.client import SshRoute, open_ssh

__all__ = ["PodLink"]

_BACKOFF_S = (0.05, 0.2, 0.5, 1.0, 2.0, 3.0)
_PATIENCE_S = 90.0
_JOIN_S = 3.0
_ANSWER_S = 60.0
# Limits on data that was received but not used yet: as much as an agent sends ahead, and a few frames.
_WINDOW_BYTES = 1 << 20
_REPORT_BYTES = _WINDOW_BYTES // 4
_MAX_AHEAD_BYTES = 8 << 20
# What a frame takes in memory, however small it is.
_MIN_FRAME_BYTES = 512
# The answer to a request that was withdrawn.
_MAX_STRAY_BYTES = 2 << 20


class PodLink:
    """A connection to the agent of a pod, kept up in the background until it is closed.

    Parameters
    ----------
    route : SshRoute
        How the pod is reached; `move` changes it.
    find_end : callable
        Asks the service whether the pod has ended, and returns a sentence if it has, else None. Called
        repeatedly while there is no connection; it may call `move`.
    is_fresh : bool
        True if the pod just became ready, so its SSH server may refuse logins for a while.
    """

    def __init__(
        self, route: SshRoute, find_end: Callable[[], str | None], *, is_fresh: bool = False
    ) -> None:
        self.name = route.name
        self.connected = threading.Event()
        self.failure: PodsError | None = None
        """The reason why there is no connection and none will be made."""
        self.trouble: SshFailed | None = None
        """The reason why there is no connection right now."""
        self.connects = 0
        self.route = route
        self.find_end = find_end
        self._lock = threading.Lock()
        self._channel: AgentChannel | None = None
        self._requests = Requests(self._lock, self._send_data)
        self._followings: dict[str, Following] = {}
        self._followed = 0
        self._place = ""
        """The place that the next frame of a job is for."""
        self._attempt = 0
        self._is_closed = False
        self._wake = threading.Event()
        self._trouble_since: float | None = time.monotonic()
        self._patience_s = _PATIENCE_S if is_fresh else 0.0
        self._thread = start_thread(self._keep_up, "primepods-link")

    # For callers

    def request(
        self, op: str, buffers: Sequence[bytes] = (), *, max_reply_bytes: int = 0, **values: Any
    ) -> Future[Header]:
        """Send a request that the agent carries out exactly once; the future gets its answer.

        The request waits for a connection. The future fails if none can be made. The buffers of the
        answer, at most `max_reply_bytes` in all, are its value ``"buffers"``.
        """
        header = {"id": secrets.token_hex(8), **values, "op": op}
        with self._lock:
            if self.failure:
                future: Future[Header] = Future()
                future.set_exception(self.failure)
                return future
            try:
                return self._requests.add(header, buffers, max_reply_bytes=max_reply_bytes)
            except BadFrame as error:
                raise InvalidRequest(f"Cannot send {error} to '{self.name}'. Nothing was sent") from None

    def ask(self, op: str, *, timeout_s: float = _ANSWER_S, **values: Any) -> Header:
        """Send a request and return its answer; raise PodsError if there is none in time."""
        request = self.request(op, **values)
        try:
            return request.result(timeout_s)
        except FutureTimeoutError:
            raise PodsError(
                f"'{self.name}' did not answer within {timeout_s:.0f} s. It is still billed"
            ) from None

    def withdraw(self, request_id: str) -> bool:
        """Take back a request that has no answer; return whether it was certainly not sent."""
        with self._lock:
            request = self._requests.take(request_id)
            # One that is no longer there was answered, so the agent has it.
            return request is not None and not request.is_sent

    def follow(self, job: str, handler: FrameHandler, *, first: int = 0) -> str:
        """Pass each frame of a job, in order and exactly once, to a handler.

        The handler is called in the link's thread. Return the name of the place where the job is followed,
        for `leave` and `note_used`.
        """
        with self._lock:
            failure = self.failure
            self._followed += 1
            place = str(self._followed)
            if failure is None:
                self._followings[place] = Following(job, handler, first)
                self._ask_for(place)
        if failure is not None:
            handler({"type": "link_failed", "job": job}, [])
        return place

    def leave(self, place: str) -> None:
        """Stop following a job."""
        with self._lock:
            if self._followings.pop(place, None) is not None:
                self._send_now({"op": "leave", "to": place})

    def note_used(self, place: str, number: int) -> None:
        """Report that everything before a frame was used: the agent sends only a limited amount ahead."""
        with self._lock:
            following = self._followings.get(place)
            if following is None:
                return
            following.note_used(number)
            if not following.is_asked:
                self._ask_for(place)
            elif following.unreported_bytes >= _REPORT_BYTES:
                following.unreported_bytes = 0
                self._send_now({"op": "used", "to": place, "next": number})

    def move(self, route: SshRoute) -> None:
        """Connect to another address of the pod from now on; requests and jobs are resumed there."""
        with self._lock:
            self.route = route
            self._attempt = 0
            channel = self._channel
        self._wake.set()
        if channel:
            channel.close()

    def close(self) -> None:
        """Close the connection; cells on the pod keep running."""
        with self._lock:
            self._is_closed = True
            channel = self._channel
        self._wake.set()
        if channel:
            channel.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_S)
        self._fail_requests(
            PodsError(f"The connection to '{self.name}' was closed. The pod keeps running and is billed")
        )

    def abandon(self) -> None:
        """Give it up in a forked process, which has no thread for it; the parent goes on using it."""
        self._lock = threading.Lock()
        self._requests = Requests(self._lock, self._send_data)
        self._channel, self._is_closed = None, True
        self._followings.clear()
        self.connected = threading.Event()
        self.failure = PodsError(
            f"The connection to '{self.name}' is another process's. Cells there keep running; start or look "
            "for them again in this process"
        )

    @property
    def is_alive(self) -> bool:
        """True if it is connected, or will try to connect."""
        return self.failure is None and not self._is_closed

    # The background

    def _send_data(self, data: bytes) -> bool:
        if not (self.connected.is_set() and self._channel):
            return False
        self._channel.send(data)
        return True

    def _send_now(self, header: Header) -> None:
        """Send a frame if connected; a new connection sends it again anyway."""
        self._send_data(pack_frame(header))

    def _ask_for(self, place: str) -> None:
        """Ask for the rest of a job, unless much of it was received but not used yet."""
        following = self._followings[place]
        if following.unused_bytes <= _WINDOW_BYTES and self.connected.is_set():
            following.is_asked = True
            self._send_now({"op": "follow", "to": place, "job": following.job, "next": following.next})

    def _keep_up(self) -> None:
        while self.is_alive:
            try:
                self._try_connecting()
            except Exception as error:  # noqa: BLE001 - callers wait for the outcome
                self._fail_requests(
                    PodsError(f"The connection to '{self.name}' failed: {type(error).__name__}")
                )
            if self.is_alive:
                self._wake.wait(_BACKOFF_S[min(self._attempt, len(_BACKOFF_S) - 1)])
                self._wake.clear()
                self._attempt += 1

    def _try_connecting(self) -> None:
        try:
            self._connect_once()
        except SshFailed as error:
            self._note_trouble(error)
        except PodsError as error:
            self._fail_requests(error)
        except BadFrame as error:
            self._fail_requests(
                PodsError(
                    f"'{self.name}' sent something that is not output of a cell ({error}). The connection "
                    "was closed. The pod keeps running and is billed"
                )
            )

    def _connect_once(self) -> None:
        route = self.route
        with open_ssh(route, COMMAND, keeps_stderr=False) as ssh:
            channel = AgentChannel(ssh, route)
            with self._lock:
                if self._is_closed or self.route is not route:
                    return
                self._channel = channel
            try:
                channel.shake_hands(agent_archive.build_archive())
                ssh.hide_log()
                self._resume_requests()
                while True:
                    header, buffers = channel.read_frame(self._check_sizes)
                    self._pass_frame(header, buffers, channel.frame_bytes)
            except (EOFError, OSError):
                pass
            finally:
                with self._lock:
                    self.connected.clear()
                    self._channel = None
                channel.close()
            if not self._is_closed and self.route is route:
                channel.raise_failure()

    def _resume_requests(self) -> None:
        """Resend everything that the agent may not have received, and resume each job where it was left."""
        with self._lock:
            self.trouble = self._trouble_since = None
            self.connects += 1
            self.connected.set()
            self._requests.resume()
            self._place = ""
            for place, following in self._followings.items():
                following.is_asked = False
                self._ask_for(place)

    def _pass_frame(self, header: Header, buffers: list[bytes], size: int) -> None:
        check_frame(header)
        if header["type"] == "reply":
            self._answer_request(header, buffers)
        elif header["type"] == "to":
            self._place = header["to"]
        elif "job" in header:
            self._pass_output(header, buffers, size)
        self._attempt = 0

    def _check_sizes(self, header: Header, sizes: list[int]) -> None:
        """Refuse an answer that is larger than was asked for, before it takes memory."""
        if header.get("type") == "reply":
            check_frame(header)
            request = self._requests.find(header["id"])
            if sum(sizes) > (request.max_reply_bytes if request else _MAX_STRAY_BYTES):
                raise BadFrame("an answer larger than was asked for")

    def _answer_request(self, header: Header, buffers: list[bytes]) -> None:
        with self._lock:
            request = self._requests.take(header["id"])
        if request is None:
            return
        future, header["buffers"] = request.future, buffers
        with contextlib.suppress(InvalidStateError):
            if "failed" in header:
                reason = sanitize(shorten(str(header["failed"]), 300))
                future.set_exception(
                    PodsError(
                        f"'{self.name}' could not carry out a request ({reason}). The pod is still billed"
                    )
                )
            else:
                future.set_result(header)

    def _pass_output(self, header: Header, buffers: list[bytes], size: int) -> None:
        number = header.get("n")
        with self._lock:
            following = self._followings.get(self._place)
            if following is None or following.job != header["job"]:
                return
            if following.unused_bytes > _MAX_AHEAD_BYTES:
                raise BadFrame("more data than requested")
            if header["type"] != "unknown":
                # Frames of an earlier request may still be in transit.
                if number is None or number > following.next:
                    raise BadFrame(f"frame {number} instead of {following.next}")
                if number < following.next:
                    return
            if header["type"] not in UNNUMBERED:
                following.next = number + header.get("dropped", 1)
            size = max(size, _MIN_FRAME_BYTES)
            following.unused.append((following.next - 1, size))
            following.unused_bytes += size
        with contextlib.suppress(Exception):
            # A fault in showing something must not look like a lost connection.
            following.handler(header, buffers)

    def _note_trouble(self, error: SshFailed) -> None:
        now = time.monotonic()
        self.trouble = error
        if self._trouble_since is None:
            self._trouble_since = now
        lasted_s = now - self._trouble_since
        is_new = not self.connects
        is_final = error.reason == "host-key" or (is_new and error.reason == "setup")
        is_lasting = is_new and lasted_s >= self._patience_s
        is_lasting |= error.reason in ("denied", "setup") and lasted_s >= _PATIENCE_S
        if is_final or is_lasting:
            self._fail_requests(error)
        elif not is_new or self._patience_s:
            end = self.find_end()
            if end:
                self._fail_requests(PodsError(end))

    def _fail_requests(self, error: PodsError) -> None:
        with self._lock:
            if self.failure is None:
                self.failure = error
            followings = list(self._followings.values())
            self._followings.clear()
        self._requests.fail_all(error)
        for following in followings:
            with contextlib.suppress(Exception):
                following.handler({"type": "link_failed", "job": following.job}, [])
