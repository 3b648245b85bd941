"""Parsing of fault selections: profiles, JSON rules, and the header of a request."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .rules import AFTER, BEFORE, FAULT_KINDS, IN_ANSWER, FaultKind, Rule, route_of

__all__ = [
    "FAULT_HEADER",
    "PROFILES",
    "Selection",
    "read_header",
    "read_profile_or_rules",
    "read_rules",
    "read_selection",
]

FAULT_HEADER = "X-Sandbox-Fault"

Selection = str | Path | Sequence[Mapping[str, Any]]
"""A profile name, a JSON file, JSON text, or rules."""

_PER_REQUEST = ("seconds", "retry_after")

# Short enough for retries to succeed, long enough to be noticed.
_LAUNCH_LATENCY_S = 0.3


def _spread_probability(probability: float, *, method: str | None = None) -> list[Rule]:
    """Split `probability` evenly between faults before the action, after it, and in the response."""
    share = probability / 3
    common: dict[str, Any] = {"method": method}
    return [
        Rule(fault="latency", probability=share / 8, seconds=_LAUNCH_LATENCY_S, **common),
        Rule(fault="429", probability=share / 8, retry_after=1, **common),
        Rule(fault=_drop_kind(BEFORE, "latency"), probability=share * 6 / 8, **common),
        Rule(fault=AFTER, probability=share, **common),
        Rule(fault="slow_body", probability=share / 5, seconds=_LAUNCH_LATENCY_S, **common),
        Rule(fault=_drop_kind(IN_ANSWER, "slow_body"), probability=share * 4 / 5, **common),
    ]


def _drop_kind(kinds: Iterable[FaultKind], left_out: FaultKind) -> tuple[FaultKind, ...]:
    return tuple(kind for kind in kinds if kind != left_out)


def _build_launch_profile() -> tuple[Rule, ...]:
    late = [
        Rule(fault=fault, method="POST", path="/pods", probability=0.03, seconds=seconds)
        for fault in ("listed_late", "commits_late")
        for seconds in (0.5, 1.5)
    ]
    return (
        *_spread_probability(0.18, method="POST"),
        *late,
        *_spread_probability(0.3, method="GET"),
        *_spread_probability(0.3, method="DELETE"),
    )


PROFILES: dict[str, tuple[Rule, ...]] = {
    "none": (),
    "launch": _build_launch_profile(),
    "flaky": tuple(_spread_probability(0.1)),
    "slow": (
        Rule(fault="latency", probability=0.5, seconds=1.5),
        Rule(fault="slow_body", probability=0.5, seconds=1.5),
    ),
    "down": (Rule(fault="503_before"),),
    "availability": (Rule(fault="empty_availability", probability=0.3),),
}


def read_selection(selection: object) -> tuple[str | None, tuple[Rule, ...]]:
    """Return the profile name, if any, and the rules; raise ValueError with a suggestion in one line."""
    if isinstance(selection, str) and selection in PROFILES:
        return selection, PROFILES[selection]
    if isinstance(selection, str) and selection.lstrip().startswith(("[", "{")):
        return None, _parse_json_rules(selection, "the rules")
    if isinstance(selection, str | Path):
        path = Path(selection)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            unknown = _describe_unknown("fault profile", str(selection), PROFILES)
            raise ValueError(f"{unknown} (nor is it a readable file)") from None
        return None, _parse_json_rules(text, str(path))
    return None, read_rules(selection)


def read_profile_or_rules(selection: object) -> tuple[str | None, tuple[Rule, ...]]:
    """Parse the selection of a client, which must not make the server read files."""
    if isinstance(selection, str):
        if selection not in PROFILES:
            raise ValueError(_describe_unknown("fault profile", selection, PROFILES))
        return selection, PROFILES[selection]
    return None, read_rules(selection)


def read_rules(raw: object) -> tuple[Rule, ...]:
    """Parse a JSON list of rules; raise ValueError naming the rule and the field."""
    if isinstance(raw, str | bytes | Mapping) or not isinstance(raw, Sequence):
        raise ValueError('faults must be a list of rules: [{"fault": "reset_after", "probability": 0.3}]')
    return tuple(
        _parse_rule(fields, f"rule {number}: ", Rule.model_fields) for number, fields in enumerate(raw, 1)
    )


def read_header(value: str, method: str, path: str) -> Rule | None:
    """Parse the fault header of a request: `reset_after; seconds=2`, or `none` for no fault."""
    kind, *parameters = (part.strip() for part in value.split(";"))
    if kind == "none" and not parameters:
        return None
    fields: dict[str, Any] = {"fault": kind}
    for parameter in filter(None, parameters):
        name, _, given = parameter.partition("=")
        fields[name.strip()] = given.strip()
    rule = _parse_rule(fields, f"{FAULT_HEADER}: ", ("fault", *_PER_REQUEST))
    if not rule.kinds(method, path):
        raise ValueError(f"{FAULT_HEADER}: {kind} cannot happen to {method} {route_of(path)}")
    return rule


def _parse_json_rules(text: str, prefix: str) -> tuple[Rule, ...]:
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{prefix}: invalid JSON ({error})") from None
    return read_rules(raw)


def _parse_rule(fields: object, prefix: str, known: Collection[str]) -> Rule:
    if not isinstance(fields, Mapping):
        raise ValueError(f'{prefix}a rule must be an object: {{"fault": "reset_after"}}')
    if "fault" not in fields:
        raise ValueError(f'{prefix}"fault" is missing')
    for key in fields:
        if key not in known:
            raise ValueError(prefix + _describe_unknown("key", key, known))
    named = fields["fault"]
    for kind in named if isinstance(named, list | tuple) else [named]:
        if kind not in FAULT_KINDS:
            raise ValueError(prefix + _describe_unknown("fault", kind, FAULT_KINDS))
    method, path = fields.get("method"), fields.get("path")
    normalized = {
        **fields,
        "method": method.upper() if isinstance(method, str) else method,
        # Accept copied paths with the prefix or a trailing slash.
        "path": path.removeprefix("/api/v1").rstrip("/") if isinstance(path, str) else path,
    }
    try:
        return Rule.model_validate(normalized)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{prefix}{first['loc'][0]}: {first['msg']}") from None


def _describe_unknown(what: str, name: object, known: Collection[str]) -> str:
    matches = get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"there is no {what} {name!r}: " + (
        f"did you mean {matches[0]!r}?" if matches else ", ".join(known)
    )
