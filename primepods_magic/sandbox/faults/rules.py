"""Fault rules: the kinds of faults, and which request gets one.

The seed decides everything. The k-th request of a method and route always draws the same number, in any
order and mixture, so the same requests meet the same faults again.
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
"""The request is delayed or rejected without being executed."""

After = Literal["reset_after", "html_after", "500_after", "502_after", "503_after", "504_after"]
"""The request is executed and then appears to fail."""

InAnswer = Literal["truncated", "html_ok", "wrong_type", "not_json", "slow_body"]
"""The request is executed and its response is damaged."""

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

_MAX_S = 3600


class Rule(BaseModel):
    """A rule that selects requests and the fault they get."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Annotated[
        FaultKind | Annotated[tuple[FaultKind, ...], Field(min_length=1)],
        Field(description="a kind, or several: a request gets one that can happen to it"),
    ]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] | None = None
    path: Annotated[str | None, Field(description="below `/api/v1`, with `{id}` for ids or `*`")] = None
    probability: Annotated[
        float, Field(ge=0, le=1, description="share of the matching requests that earlier rules leave")
    ] = 1.0
    seconds: Annotated[
        float | None, Field(ge=0, le=_MAX_S, description="duration, or delay before other faults")
    ] = None
    times: Annotated[int | None, Field(ge=1, description="maximum number of uses")] = None
    retry_after: Annotated[int | None, Field(ge=0, le=_MAX_S, description="Retry-After in seconds")] = None

    def kinds(self, method: str, path: str) -> tuple[FaultKind, ...]:
        """Return the faults of this rule that can happen to a request; empty if it does not match."""
        route = route_of(path)
        if self.method not in (None, method):
            return ()
        if self.path is not None and not (fnmatchcase(route, self.path) or fnmatchcase(path, self.path)):
            return ()
        named = self.fault if isinstance(self.fault, tuple) else (self.fault,)
        return tuple(kind for kind in named if can_happen(kind, method, route))

    def seconds_of(self, kind: FaultKind) -> float:
        return _DEFAULT_S.get(kind, 0.0) if self.seconds is None else self.seconds


class CommitDelay(NamedTuple):
    """Milliseconds until an ordered pod exists, and from then until it is listed."""

    commits_ms: int = 0
    listed_ms: int = 0


ON_TIME = CommitDelay()


@dataclass(frozen=True)
class Fault:
    """A fault to inject; `variant` is a random number for kinds that come in several forms."""

    kind: FaultKind
    seconds: float
    retry_after_s: int | None
    variant: int

    @property
    def commit_delay(self) -> CommitDelay:
        """The delay this fault means for a created pod."""
        lasts_ms = round(self.seconds * 1000)
        if self.kind == "commits_late":
            return CommitDelay(commits_ms=lasts_ms)
        if self.kind == "listed_late":
            return CommitDelay(listed_ms=lasts_ms)
        return ON_TIME


class Faults:
    """The active rules, and counts of requests and injected faults."""

    def __init__(self, rules: Iterable[Rule] = (), *, profile: str | None = None, seed: int = 0) -> None:
        self.select(rules, profile=profile, seed=seed)

    def select(self, rules: Iterable[Rule], *, profile: str | None, seed: int | None = None) -> None:
        """Replace the rules and reset all counts; a `seed` of None keeps the current one."""
        self._rules = tuple(rules)
        self._profile = profile
        if seed is not None:
            self._seed = seed
        self._requests: Counter[tuple[str, str]] = Counter()
        self._uses: Counter[int] = Counter()
        self._injected: Counter[FaultKind] = Counter()

    def decide(
        self, method: str, path: str, requested: Rule | None, *, is_exempt: bool = False
    ) -> Fault | None:
        """Count a request and return its fault, if any; the `requested` one beats the rules."""
        route = route_of(path)
        number = self._requests[method, route]
        self._requests[method, route] += 1
        token = seeded_token(self._seed, "fault", method, route, number)
        share, pick, variant = int(token[:13], 16) / 16**13, int(token[13:26], 16), int(token[26:], 16)
        if is_exempt:
            return None
        chosen = (
            (requested, requested.kinds(method, path)) if requested else self._pick_rule(method, path, share)
        )
        if chosen is None:
            return None
        rule, kinds = chosen
        kind = kinds[pick % len(kinds)]
        self._injected[kind] += 1
        return Fault(kind, rule.seconds_of(kind), rule.retry_after, variant)

    def _pick_rule(self, method: str, path: str, share: float) -> tuple[Rule, tuple[FaultKind, ...]] | None:
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
        return {
            "profile": self._profile,
            "rules": [rule.model_dump(mode="json", exclude_none=True) for rule in self._rules],
            "seed": self._seed,
            "requests": sum(self._requests.values()),
            "injected": {kind: self._injected[kind] for kind in FAULT_KINDS if self._injected[kind]},
        }


def route_of(path: str) -> str:
    """Replace the id in a path by `{id}`.

    >>> route_of("/pods/0123456789abcdef/logs")
    '/pods/{id}/logs'
    """
    segments = path.split("/")
    if len(segments) > 2 and segments[1] in _WITH_IDS and segments[2] not in _NOT_IDS:
        segments[2] = "{id}"
    return "/".join(segments)


def can_happen(kind: FaultKind, method: str, route: str) -> bool:
    """Check that a fault makes sense for a request: only a create can be committed late."""
    if kind in ("listed_late", "commits_late"):
        return (method, route) == _CREATE
    if kind == "empty_availability":
        return method == "GET" and route in _OFFERS
    return True
