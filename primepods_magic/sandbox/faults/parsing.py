"""How faults are written down: the named profiles, rules as JSON, and the header of a single request."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .rules import AFTER, BEFORE, FAULT_KINDS, IN_ANSWER, FaultKind, Rule, route_of

FAULT_HEADER = "X-Sandbox-Fault"

Selection = str | Path | Sequence[Mapping[str, Any]]
"""A profile's name, a JSON file, JSON text, or the rules themselves."""

_PER_REQUEST = ("seconds", "retry_after")

# Short enough for a client that retries to come through, long enough to be noticed.
_LAUNCH_LATENCY_S = 0.3


def _spread(probability: float, *, method: str | None = None) -> list[Rule]:
    """One share each for what happens before the action, after it, and to the answer."""
    share = probability / 3
    common: dict[str, Any] = {"method": method}
    return [
        Rule(fault="latency", probability=share / 8, seconds=_LAUNCH_LATENCY_S, **common),
        Rule(fault="429", probability=share / 8, retry_after=1, **common),
        Rule(fault=_without(BEFORE, "latency"), probability=share * 6 / 8, **common),
        Rule(fault=AFTER, probability=share, **common),
        Rule(fault="slow_body", probability=share / 5, seconds=_LAUNCH_LATENCY_S, **common),
        Rule(fault=_without(IN_ANSWER, "slow_body"), probability=share * 4 / 5, **common),
    ]


def _without(kinds: Iterable[FaultKind], left_out: FaultKind) -> tuple[FaultKind, ...]:
    return tuple(kind for kind in kinds if kind != left_out)


def _launch() -> tuple[Rule, ...]:
    late = [
        Rule(fault=fault, method="POST", path="/pods", probability=0.03, seconds=seconds)
        for fault in ("listed_late", "commits_late")
        for seconds in (0.5, 1.5)
    ]
    return (
        *_spread(0.18, method="POST"),
        *late,
        *_spread(0.3, method="GET"),
        *_spread(0.3, method="DELETE"),
    )


PROFILES: dict[str, tuple[Rule, ...]] = {
    "none": (),
    "launch": _launch(),
    "flaky": tuple(_spread(0.1)),
    "slow": (
        Rule(fault="latency", probability=0.5, seconds=1.5),
        Rule(fault="slow_body", probability=0.5, seconds=1.5),
    ),
    "down": (Rule(fault="503_before"),),
    "availability": (Rule(fault="empty_availability", probability=0.3),),
}


def read_selection(selection: object) -> tuple[str | None, tuple[Rule, ...]]:
    """The name (if it has one) and the rules of what a person selected.

    Parameters
    ----------
    selection:
        A profile's name, a JSON file, JSON text, or the rules themselves.

    Raises
    ------
    ValueError
        In one line, naming what was probably meant.
    """
    if isinstance(selection, str) and selection in PROFILES:
        return selection, PROFILES[selection]
    if isinstance(selection, str) and selection.lstrip().startswith(("[", "{")):
        return None, _rules_of_json(selection, "the rules")
    if isinstance(selection, str | Path):
        path = Path(selection)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            unknown = _unknown("fault profile", str(selection), PROFILES)
            raise ValueError(f"{unknown} (nor is it a file that can be read)") from None
        return None, _rules_of_json(text, str(path))
    return None, read_rules(selection)


def read_profile_or_rules(selection: object) -> tuple[str | None, tuple[Rule, ...]]:
    """The same for what a client sends, who may not have files read: a profile's name, or rules.

    Raises
    ------
    ValueError
        In one line, naming what was probably meant.
    """
    if isinstance(selection, str):
        if selection not in PROFILES:
            raise ValueError(_unknown("fault profile", selection, PROFILES))
        return selection, PROFILES[selection]
    return None, read_rules(selection)


def read_rules(raw: object) -> tuple[Rule, ...]:
    """Rules as JSON holds them: a list of objects with the fields of :class:`.faults.rules.Rule`.

    Raises
    ------
    ValueError
        Naming the rule, the field, and what was probably meant.
    """
    if isinstance(raw, str | bytes | Mapping) or not isinstance(raw, Sequence):
        raise ValueError('faults are a list of rules: [{"fault": "reset_after", "probability": 0.3}]')
    return tuple(_rule(fields, f"rule {number}: ", Rule.model_fields) for number, fields in enumerate(raw, 1))


def read_header(value: str, method: str, path: str) -> Rule | None:
    """The fault that a request asks for in its header; None when it asks for none.

    Parameters
    ----------
    value:
        ``reset_after``, or with parameters ``reset_after; seconds=2``; ``none`` to be spared.
    method, path:
        Of the request; the path below ``/api/v1``.

    Raises
    ------
    ValueError
        For what is not known, and for a fault that cannot happen to this request.
    """
    kind, *parameters = (part.strip() for part in value.split(";"))
    if kind == "none" and not parameters:
        return None
    fields: dict[str, Any] = {"fault": kind}
    for parameter in filter(None, parameters):
        name, _, given = parameter.partition("=")
        fields[name.strip()] = given.strip()
    rule = _rule(fields, f"{FAULT_HEADER}: ", ("fault", *_PER_REQUEST))
    if not rule.kinds(method, path):
        raise ValueError(f"{FAULT_HEADER}: {kind} cannot happen to {method} {route_of(path)}")
    return rule


def _rules_of_json(text: str, where: str) -> tuple[Rule, ...]:
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where}: not JSON ({error})") from None
    return read_rules(raw)


def _rule(fields: object, where: str, known: Collection[str]) -> Rule:
    if not isinstance(fields, Mapping):
        raise ValueError(f'{where}a rule is an object: {{"fault": "reset_after"}}')
    if "fault" not in fields:
        raise ValueError(f'{where}"fault" is missing')
    for key in fields:
        if key not in known:
            raise ValueError(where + _unknown("key", key, known))
    named = fields["fault"]
    for kind in named if isinstance(named, list | tuple) else [named]:
        if kind not in FAULT_KINDS:
            raise ValueError(where + _unknown("fault", kind, FAULT_KINDS))
    method, path = fields.get("method"), fields.get("path")
    tidied = {
        **fields,
        "method": method.upper() if isinstance(method, str) else method,
        # As people copy it: with the prefix, or with the slash that the specification's calls end in.
        "path": path.removeprefix("/api/v1").rstrip("/") if isinstance(path, str) else path,
    }
    try:
        return Rule.model_validate(tidied)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{where}{first['loc'][0]}: {first['msg']}") from None


def _unknown(what: str, name: object, known: Collection[str]) -> str:
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"there is no {what} {name!r}: " + (f"did you mean {near[0]!r}?" if near else ", ".join(known))
