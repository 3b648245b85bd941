"""The time at which the pod ends by the rules of its guard, as things are."""

from __future__ import annotations

from typing import Any, NamedTuple

from .clock import describe_time, parse_time

__all__ = ["Due", "describe_busy", "find_due"]

_NEEDED = ("cells", "transfers", "cpu", "io", "logins")
_PRESENCE = ("cells", "transfers", "logins")
_MAX_AGE_S = 30.0
_YEAR_HR = 366 * 24.0


class Due(NamedTuple):
    """The rule that ends the pod first, and when; without a time, none does as things are."""

    rule: str | None
    at_s: float | None
    why: str
    trouble: str = ""


def find_due(
    order: dict[str, Any],
    held_until_s: float,
    pod: dict[str, Any],
    now_s: float,
    activity: dict[str, Any] | None,
) -> Due:
    """Return which rule ends the pod first, and when; `pod` is what the service says, or empty."""
    rules = order["rules"]
    found = []
    if rules["ends_at"] is not None:
        ends_s = parse_time(rules["ends_at"]) or 0.0
        held = f", held until {describe_time(held_until_s)}" if held_until_s > ends_s else ""
        found.append(Due("deadline", max(ends_s, held_until_s), f"deadline {describe_time(ends_s)}{held}"))
    if rules["max_total_usd"] is not None:
        found.append(_find_sum(order, float(rules["max_total_usd"]), pod, now_s))
    if rules["idle_s"] is not None:
        found.append(_find_idle(order, float(rules["idle_s"]), held_until_s, now_s, activity))
    timed = [due for due in found if due.at_s is not None]
    trouble = "; ".join(due.trouble for due in found if due.trouble)
    if not timed:
        return Due(None, None, "; ".join(due.why for due in found), trouble)
    return min(timed, key=lambda due: due.at_s or 0.0)._replace(trouble=trouble)


def _find_sum(order: dict[str, Any], most_usd: float, pod: dict[str, Any], now_s: float) -> Due:
    price = pod.get("priceHr", pod.get("price_hr"))
    began_s = parse_time(pod.get("createdAt", pod.get("created_at"))) or order["created_at_s"]
    if not isinstance(price, (int, float)) or isinstance(price, bool) or not price >= 0 or began_s is None:
        text = f"the price is not known, so ${most_usd:.2f} cannot be compared with it"
        return Due("sum", None, text, text)
    so_far_usd = price * max(0.0, now_s - began_s) / 3600
    if so_far_usd >= most_usd:
        return Due("sum", now_s, f"it has cost about ${so_far_usd:.2f} of ${most_usd:.2f}")
    left_hr = min((most_usd - so_far_usd) / price if price > 0 else _YEAR_HR, _YEAR_HR)
    why = f"about ${so_far_usd:.2f} of ${most_usd:.2f} at ${price:.2f}/h"
    return Due("sum", now_s + left_hr * 3600, why)


def _find_idle(
    order: dict[str, Any], window_s: float, held_until_s: float, now_s: float, activity: dict[str, Any] | None
) -> Due:
    if activity is None:
        text = "the agent does not say what is going on, which counts as busy"
        return Due("idle", None, text, text)
    busy = describe_busy(order, activity)
    if busy:
        return Due("idle", None, busy)
    quiet_s = min(signal["quiet_s"] for signal in activity["signals"]) * order["speed"]
    at_s = max(now_s + max(0.0, window_s - quiet_s), held_until_s)
    return Due("idle", at_s, f"idle for {quiet_s / 60:.0f} min of {window_s / 60:.0f} min")


def describe_busy(order: dict[str, Any], activity: dict[str, Any], *, presence_only: bool = False) -> str:
    """Return why the pod is busy: what is unknown, stale or missing counts as busy.

    `presence_only` looks at cells, transfers and logins alone.
    """
    signals = {signal["name"]: signal for signal in activity["signals"]}
    needed = [*_NEEDED, *(["gpu"] if order["gpu_count"] else [])]
    if "network" not in activity.get("left_out", {}):
        needed.append("network")
    for name in needed:
        if presence_only and name not in _PRESENCE:
            continue
        signal = signals.get(name)
        if signal is None or signal["age_s"] is None or signal["age_s"] > _MAX_AGE_S:
            return f"{name}: not measured, which counts as busy"
        if signal["state"] != "idle":
            what = signal["reason"] or f"{name} is {signal['state']}"
            return str(what if signal["state"] == "busy" else f"{what}: counted as busy")
    return ""
