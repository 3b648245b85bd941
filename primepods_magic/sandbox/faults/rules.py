"""Faults on purpose: which kinds there are, which request gets one, and how many were injected.

Everything is decided by the seed. The k-th request of a method and route always draws the same number, in
whatever order and with whatever others it comes; so the same requests meet the same faults again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field

from primepods_magic.sandbox.storage.store import seeded_token

Before = Literal[
    "latency", "reset_before", "html", "429", "500_before", "502_before", "503_before", "504_before"
]
"""The request is held back, or answered without being acted on."""

After = Literal["reset_after", "html_after", "500_after", "502_after", "503_after", "504_after"]
"""The request is acted on, and then it looks as if it had failed."""

InAnswer = Literal["truncated", "html_ok", "wrong_type", "not_json", "slow_body"]
"""The request is acted on, and its answer is spoilt."""

FaultKind = Literal[Before, After, InAnswer, "empty_availability", "listed_late", "commits_late"]

BEFORE: tuple[Before, ...] = get_args(Before)
AFTER: tuple[After, ...] = get_args(After)
IN_ANSWER: tuple[InAnswer, ...] = get_args(InAnswer)
FAULT_KINDS: tuple[FaultKind, ...] = (
    *BEFORE,
    *AFTER,
    *IN_ANSWER,
    "empty_availability",
    "listed_late",
    "commits_late",
)

_DEFAULT_S: dict[FaultKind, float] = {
    "latency": 1.0,
    "slow_body": 1.0,
    "listed_late": 1.5,
    "commits_late": 1.0,
}
_CREATE = ("POST", "/pods")
_OFFERS = frozenset({"/availability/gpus", "/availability/multi-node", "/availability/disks"})
_WITH_IDS = frozenset({"pods", "disks", "teams"})
_NOT_IDS = frozenset({"status", "history"})

_LONGEST_S = 3600


class Rule(BaseModel):
    """Which requests get which fault.

    Parameters
    ----------
    fault:
        A kind, or several: each request gets one of those that can happen to it.
    method:
        None: any.
    path:
        Below ``/api/v1``, as it is sent or with ``{id}`` for an id; ``*`` stands for any text. None: any.
    probability:
        The share of the fitting requests that gets this fault. Rules that fit the same request do not
        overlap: each takes its share of what those before it leave over, until nothing is left.
    seconds:
        How long ``latency``, ``slow_body``, ``listed_late`` and ``commits_late`` last; for every other kind,
        how long the fault is held back. None: a second or so for the first, not at all for the others.
    times:
        After so many the rule no longer counts.
    retry_after:
        Seconds for the ``Retry-After`` of a 429 or a 5xx. None: no such header.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: FaultKind | Annotated[tuple[FaultKind, ...], Field(min_length=1)]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] | None = None
    path: str | None = None
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seconds: Annotated[float, Field(ge=0, le=_LONGEST_S)] | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    retry_after: Annotated[int, Field(ge=0, le=_LONGEST_S)] | None = None

    def kinds(self, method: str, path: str) -> tuple[FaultKind, ...]:
        """The faults of this rule that can happen to a request; none when it does not fit."""
        route = route_of(path)
        if self.method not in (None, method):
            return ()
        if self.path is not None and not (fnmatchcase(route, self.path) or fnmatchcase(path, self.path)):
            return ()
        named = self.fault if isinstance(self.fault, tuple) else (self.fault,)
        return tuple(kind for kind in named if can_happen(kind, method, route))

    def seconds_of(self, kind: FaultKind) -> float:
        """How long a fault of this rule lasts, or is held back."""
        return _DEFAULT_S.get(kind, 0.0) if self.seconds is None else self.seconds


class CommitDelay(NamedTuple):
    """How long after its order a pod begins to exist, and how long after that it is listed."""

    commits_ms: int = 0
    listed_ms: int = 0


ON_TIME = CommitDelay()


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    Parameters
    ----------
    kind:
        What.
    seconds:
        How long it lasts, or is held back.
    retry_after_s:
        For the ``Retry-After`` header.
    variant:
        Drawn, for kinds that can look in several ways.
    """

    kind: FaultKind
    seconds: float
    retry_after_s: int | None
    variant: int

    @property
    def lateness(self) -> CommitDelay:
        """What it means for a pod that is created."""
        lasts_ms = round(self.seconds * 1000)
        if self.kind == "commits_late":
            return CommitDelay(commits_ms=lasts_ms)
        if self.kind == "listed_late":
            return CommitDelay(listed_ms=lasts_ms)
        return ON_TIME


class Faults:
    """Decides for every request below ``/api/v1`` whether it gets a fault, and counts.

    Parameters
    ----------
    rules:
        In the order in which they take their share of the requests.
    profile:
        The name that the rules go by, if they have one.
    seed:
        Chooses which requests.
    """

    def __init__(self, rules: Iterable[Rule] = (), *, profile: str | None = None, seed: int = 0) -> None:
        self.select(rules, profile=profile, seed=seed)

    def select(self, rules: Iterable[Rule], *, profile: str | None, seed: int | None = None) -> None:
        """Replace the rules, and count anew; a ``seed`` of None leaves it as it is."""
        self._rules = tuple(rules)
        self._profile = profile
        if seed is not None:
            self._seed = seed
        self._requests: Counter[tuple[str, str]] = Counter()
        self._uses: Counter[int] = Counter()
        self._injected: Counter[FaultKind] = Counter()

    def decide(self, method: str, path: str, asked: Rule | None, *, is_exempt: bool = False) -> Fault | None:
        """What happens to the next request; it is counted in any case.

        Parameters
        ----------
        method, path:
            Of the request; the path below ``/api/v1``.
        asked:
            The fault that the request itself asks for, which must fit it: it beats the rules.
        is_exempt:
            The request asks to be spared.
        """
        route = route_of(path)
        number = self._requests[method, route]
        self._requests[method, route] += 1
        token = seeded_token(self._seed, "fault", method, route, number)
        share, pick, variant = int(token[:13], 16) / 16**13, int(token[13:26], 16), int(token[26:], 16)
        if is_exempt:
            return None
        chosen = (asked, asked.kinds(method, path)) if asked else self._chosen(method, path, share)
        if chosen is None:
            return None
        rule, kinds = chosen
        kind = kinds[pick % len(kinds)]
        self._injected[kind] += 1
        return Fault(kind, rule.seconds_of(kind), rule.retry_after, variant)

    def _chosen(self, method: str, path: str, share: float) -> tuple[Rule, tuple[FaultKind, ...]] | None:
        taken = 0.0
        for index, rule in enumerate(self._rules):
            kinds = rule.kinds(method, path)
            if not kinds or (rule.times is not None and self._uses[index] >= rule.times):
                continue
            taken += rule.probability
            if share < taken:
                self._uses[index] += 1
                return rule, kinds
        return None

    def report(self) -> dict[str, Any]:
        """What is selected, and what has come of it."""
        return {
            "profile": self._profile,
            "rules": [rule.model_dump(mode="json", exclude_none=True) for rule in self._rules],
            "seed": self._seed,
            "requests": sum(self._requests.values()),
            "injected": {kind: self._injected[kind] for kind in FAULT_KINDS if self._injected[kind]},
        }


def route_of(path: str) -> str:
    """A path with ``{id}`` where it names something.

    Example
    -------
    >>> route_of("/pods/0123456789abcdef/logs")
    '/pods/{id}/logs'
    """
    segments = path.split("/")
    if len(segments) > 2 and segments[1] in _WITH_IDS and segments[2] not in _NOT_IDS:
        segments[2] = "{id}"
    return "/".join(segments)


def can_happen(kind: FaultKind, method: str, route: str) -> bool:
    """Whether a fault makes sense for a request: a list cannot be committed late."""
    if kind in ("listed_late", "commits_late"):
        return (method, route) == _CREATE
    if kind == "empty_availability":
        return method == "GET" and route in _OFFERS
    return True
