"""A service that speaks the Pods API on loopback and answers each key by the plan of its launch."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from tests.support.hostile_service.offers import CAPACITY_SENTENCES, list_offers
from tests.support.hostile_service.plan import Plan
from tests.support.hostile_service.world import CENT, World
from tests.support.scripted import Answered, Asked, as_json, scripted

__all__ = ["HostileService", "hostile_service"]

_PODS = "/api/v1/pods"
_SLOW_S = 0.4
_CUT = Answered(content=None)
_DATES_H = {"ahead": 5.0, "back": -5.0}


class HostileService:
    """Worlds by their keys, and how each request is answered.

    Parameters
    ----------
    plans : sequence of Plan
        One for each launch.
    settle_s : float
        How long a launch looks for its pod.
    """

    def __init__(self, plans: Sequence[Plan], *, settle_s: float) -> None:
        self.worlds = [World(number, plan, settle_s) for number, plan in enumerate(plans)]
        self.url = ""
        self._locks = [threading.RLock() for _ in plans]

    def __call__(self, asked: Asked) -> Answered:
        if not asked.path.startswith("/api/v1/") and not asked.path.startswith("/hostile/"):
            return as_json({"detail": "Not Found"}, 404)
        number = int(asked.headers.get("authorization", "").rpartition("-")[2])
        world = self.worlds[number]
        with self._locks[number]:
            if asked.path == "/hostile/run":
                world.begin_run(int(asked.query["run"][0]), int(asked.query["pid"][0]))
                return as_json({})
            told = [(made, made.is_told, made.told_over) for made in world.made]
            how, answered = _answer(world, asked)
            if asked.method == "GET" and how not in ("", "slow"):
                # No one was told what did not arrive.
                for made, is_told, told_over in told:
                    made.is_told, made.told_over = is_told, told_over
            world.log.append(_log_line(world, asked, how, answered))
        if "slow" in how:
            time.sleep(_SLOW_S)
        return Answered(answered.status, answered.content, {**_date_header(world), **answered.headers})


@contextmanager
def hostile_service(plans: Sequence[Plan], *, settle_s: float) -> Iterator[HostileService]:
    """Run the service on a thread; its address is its `url`."""
    service = HostileService(plans, settle_s=settle_s)
    with scripted(service) as service.url:
        yield service


def _answer(world: World, asked: Asked) -> tuple[str, Answered]:
    """Return what was done to the answer, in a word, and the answer."""
    path = asked.path.rstrip("/")
    if asked.method == "POST" and path == _PODS:
        return _answer_create(world, asked)
    if asked.method == "DELETE":
        return _answer_delete(world, path.rpartition("/")[2])
    if asked.method != "GET":
        return "", as_json({"detail": "Method Not Allowed"}, 405)
    how = world.bad_reads.get(world.reads, "")
    world.reads += 1
    if how and how != "slow":
        return how, _spoil_read(how, as_json(_read(world, asked, path)[1]))
    status, body = _read(world, asked, path)
    return how, as_json(body, status)


def _spoil_read(how: str, good: Answered) -> Answered:
    if how == "cut":
        return _CUT
    if how == "html":
        return Answered(200, b"<html>please log in</html>", {"Content-Type": "text/html"})
    if how == "truncated":
        content = good.content or b""
        return Answered(200, content[: len(content) * 2 // 3], good.headers)
    if how == "null":
        return as_json(None)
    return as_json({"detail": "try again"}, int(how))


def _read(world: World, asked: Asked, path: str) -> tuple[int, Any]:
    if path == _PODS:
        return 200, _list_pods(world, asked)
    if path == f"{_PODS}/status":
        return _tell_status(world, asked.query.get("pod_ids", []))
    if path == f"{_PODS}/history":
        gone = [made for made in world.made if made.acted_at <= time.monotonic() and not made.is_there]
        rows = [] if world.plan.history == "lags" else [_history_row(world, made) for made in gone]
        return 200, _envelope(rows, 0, 100, len(rows))
    if path.startswith(f"{_PODS}/"):
        made = world.find(path.rpartition("/")[2])
        return (404, {"detail": "Pod not found"}) if made is None else (200, world.tell(made))
    if path == "/api/v1/availability/gpus":
        offers = list_offers(world) if asked.query.get("page", ["1"]) == ["1"] else []
        return 200, {"items": offers, "totalCount": len(offers)}
    if path == "/api/v1/user/whoami":
        return 200, {"data": {"id": world.user_id, "name": "Ada", "email": "ada@example.org"}, "status": None}
    if path == "/api/v1/ssh_keys":
        key = {"id": "k1", "name": "k", "publicKey": "ssh-ed25519 AAAA a", "isPrimary": True}
        return 200, _envelope([key], 0, 100, 1)
    if path == "/api/v1/user/teams":
        return 200, _envelope([], 0, 100, 0)
    return 404, {"detail": "Not Found"}


def _list_pods(world: World, asked: Asked) -> dict[str, Any]:
    """Return one page of the list, as reliable as the plan says."""
    offset, limit = int(asked.query.get("offset", ["0"])[0]), int(asked.query.get("limit", ["100"])[0])
    behavior, now = world.plan.lists, time.monotonic()
    is_moving = behavior == "moves" and world.moves_left > 0 and offset > 0
    if is_moving:
        # What was first on this page is last on the one that was read before.
        world.moves_left -= 1
        world.end_other()
    if behavior == "empty-while" and _denies(world, now):
        return _envelope([], offset, limit, 0)
    listed = {made.id: made for made in world.made if made.is_there and made.listed_at <= now}
    ids = [pod_id for pod_id in world.order if pod_id in listed or pod_id in world.others]
    if behavior == "unstable-order":
        world.chance.shuffle(ids)
    total = len(ids)
    first = 0 if behavior == "offset-ignored" else offset
    size = min(limit, 50) if behavior == "pages-of-fifty" else limit
    page = ids[first : first + size]
    if behavior == "second-page-empty" and offset:
        page = []
    total = {
        "total-of-page": len(page),
        "total-zero": 0,
        "total-too-large": total + 7,
    }.get(behavior, total)
    others = world.others
    rows = [others[pod_id] if pod_id in others else world.tell(listed[pod_id]) for pod_id in page]
    if is_moving:
        world.add_other("newcomer", at=0)
    return _envelope(rows, offset, limit, total)


def _denies(world: World, now: float) -> bool:
    """Whether the list is empty although there is a pod, as it is for a while after a create, and at the
    beginning of each run once the pod was told of."""
    lives = [made for made in world.made if made.is_there]
    if any(now < made.acted_at + 0.5 * world.settle_s for made in lives):
        return True
    if lives and all(made.is_told for made in lives) and world.empty_reads_left:
        world.empty_reads_left -= 1
        return True
    return False


def _tell_status(world: World, ids: list[str]) -> tuple[int, Any]:
    if world.plan.status == "missing":
        return 404, {"detail": "Not Found"}
    is_omitted = world.plan.status == "omits"
    if world.plan.status == "omits-at-first" and world.status_left:
        world.status_left -= 1
        is_omitted = True
    found = [] if is_omitted else [made for pod_id in ids if (made := world.find(pod_id))]
    return 200, {"data": [world.tell(made, in_status=True) for made in found], "status": None}


def _answer_create(world: World, asked: Asked) -> tuple[str, Answered]:
    body = json.loads(asked.content)
    _check_create(world, body)
    is_hostile = world.creates < world.plan.times
    world.creates += 1
    behavior = world.plan.create if is_hostile else ""
    kernel = world.plan.kernel if is_hostile and world.pid is not None else ""
    world.sent.append(behavior)
    if body["pod"].get("cloudId") == "decoy-sold":
        return "sold", as_json({"detail": "no capacity"}, 409)
    if kernel.startswith("killed") and world.pid is not None:
        if kernel == "killed-after":
            world.act(body, late=False)
        os.kill(world.pid, signal.SIGKILL)
        return kernel, _CUT
    acts = "acted" in behavior or behavior in ("", "slow", "cut-after", "cut-late")
    made = world.act(body, late="late" in behavior) if acts else None
    if made is not None and behavior in ("", "slow"):
        return behavior, as_json(world.tell(made))
    return behavior, _spoil_create(world, behavior)


def _spoil_create(world: World, behavior: str) -> Answered:
    status, _, rest = behavior.partition("-")
    if behavior.startswith("cut"):
        return _CUT
    if behavior.startswith("429"):
        return as_json({"detail": "slow down"}, 429, **({"Retry-After": "1"} if rest else {}))
    if "capacity" in behavior:
        said = world.chance.choice(CAPACITY_SENTENCES)
        body: Any = {"errors": [{"param": "pod", "details": said}]} if status == "422" else {"detail": said}
        return as_json(body, int(status))
    if status == "307":
        return as_json({}, 307, Location="https://elsewhere.invalid/api/v1/pods/")
    if status.startswith("3"):
        return as_json({}, int(status), Location=f"{_PODS}/")
    if status.isdigit():
        return as_json({"detail": f"failure {world.number} of the service"}, int(status))
    if status == "html":
        return Answered(200, b"<html>please log in</html>", {"Content-Type": "text/html"})
    if status == "empty":
        return Answered(200, b"")
    if status == "null":
        return as_json(None)
    row = {**world.make_other(world.name), "userId": world.user_id, "status": "PROVISIONING"}
    del row["id"]
    content = json.dumps(row).encode()
    return Answered(200, content if status == "no" else content[: len(content) // 2])


def _check_create(world: World, body: dict[str, Any]) -> None:
    """Note what must not be in a create, and a create that must not be sent."""
    pod = body["pod"]
    price = pod.get("maxPrice")
    is_price = isinstance(price, (int, float)) and math.isfinite(price) and price > 0
    if not is_price:
        world.faults.append(f"a create was sent at {price!r}, which is not a price")
    elif not str(pod.get("cloudId")).startswith("true-"):
        world.faults.append(f"the offer {pod.get('cloudId')} was ordered, at {price}")
    elif price > (world.max_price or world.price) + CENT:
        world.faults.append(f"a create allows ${price}/h; the cheapest offer is ${world.price}/h")
    if any(not sent.startswith("429") for sent in world.sent):
        world.faults.append(f"a create was sent again after {world.sent[-1] or 'a good answer'}")
    if living := [str(made) for made in world.made if made.lives]:
        world.faults.append(f"a create was sent although {', '.join(living)} lives")


def _answer_delete(world: World, pod_id: str) -> tuple[str, Answered]:
    made = world.find(pod_id)
    if made is None or made.gone_at is not None:
        if pod_id in world.others:
            world.faults.append(f"another user's pod was asked to end: {pod_id}")
        return "", as_json({"detail": "Pod not found"}, 404)
    behavior = "" if made.delete_asked else world.plan.delete
    made.delete_asked = True
    made.told_before_delete = made.told_before_delete or made.told_over
    if not made.is_over:
        world.faults.append(f"terminated although nothing told of a price above the agreed one: {made}")
    if behavior != "500":
        made.gone_at = time.monotonic() + (0.5 if behavior == "slow-to-go" else 0.0)
    if behavior == "cut-acted":
        return behavior, _CUT
    if behavior.startswith("500"):
        return behavior, as_json({"detail": "try again"}, 500)
    return behavior, as_json({"status": "TERMINATED"})


def _history_row(world: World, made: Any) -> dict[str, Any]:
    row = world.tell(made)
    return {
        **row,
        "terminatedAt": row["createdAt"],
        "totalBilledPrice": 0.1,
        "priceHr": 1.0,
        "type": "Instance",
    }


def _envelope(rows: list[Any], offset: int, limit: int, total: int) -> dict[str, Any]:
    return {"total_count": total, "offset": offset, "limit": limit, "data": rows, "status": None}


def _date_header(world: World) -> dict[str, str]:
    behavior = world.plan.date
    if behavior == "absent":
        return {}
    if behavior == "garbled":
        return {"Date": "yesterday"}
    hours = world.chance.uniform(-6, 6) if behavior == "hops" else 0.0
    if world.made:
        hours += _DATES_H.get(behavior, 0.0)
    return {"Date": format_datetime(datetime.now(timezone.utc) + timedelta(hours=hours), usegmt=True)}


def _log_line(world: World, asked: Asked, how: str, answered: Answered) -> str:
    said = "cut" if answered.content is None else f"{answered.status} {len(answered.content)} B"
    sent = asked.content.decode()[:400]
    request = f"{time.monotonic():.3f} run {world.run} {asked.method} {asked.target} {sent}"
    return f"{request} -> {said} {how}".rstrip()
