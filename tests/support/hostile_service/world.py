"""Truth about one user's pods: what was ordered, what was made, what it costs, and what was told of it."""

from __future__ import annotations

import math
import random
import time
import unicodedata
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.support.hostile_service.plan import Plan

__all__ = ["CENT", "GPU", "SSH_HOST", "SSH_PORT", "Made", "World"]

GPU = "H100_80GB"
SSH_HOST, SSH_PORT = "203.0.113.9", "2200"
CENT = 0.01
_READY_AFTER_LOOKS = 3
_ROUNDING = 1e-6
_PRICES = ("priceHr", "costPerHr", "provisioningPriceHr")


@dataclass
class Made:
    """A pod that a create has made."""

    id: str
    run: int
    name: str
    agreed: float
    acted_at: float
    listed_at: float
    created_at: datetime
    team_id: str | None = None
    gpu_count: int = 1
    looks: int = 0
    is_told: bool = False
    told_over: int = 0
    told_before_delete: int = 0
    delete_asked: bool = False
    gone_at: float | None = None

    @property
    def lives(self) -> bool:
        """Whether no one has asked for its end; it is billed, or will be once a late create is done."""
        return self.gone_at is None

    @property
    def is_there(self) -> bool:
        """Whether a late create has been carried out, and the pod is not gone."""
        return self.acted_at <= time.monotonic() < (self.gone_at or math.inf)

    @property
    def is_up(self) -> bool:
        """Whether it was looked at often enough to be running."""
        return self.looks >= _READY_AFTER_LOOKS

    @property
    def is_over(self) -> bool:
        """Whether a price was told that is more than a cent above what was agreed to."""
        return self.told_over > 0

    def __str__(self) -> str:
        state = "lives" if self.lives else "gone"
        over = ", told above its price" if self.is_over else ""
        return f"{self.id} (run {self.run}, agreed ${self.agreed:.4f}/h, {state}{over})"


@dataclass
class World:
    """One user at the service, and how the service behaves towards them.

    Parameters
    ----------
    number : int
        Which launch; its key is ``key-NUMBER``.
    plan : Plan
        Behavior.
    settle_s : float
        How long a launch looks for its pod.
    """

    number: int
    plan: Plan
    settle_s: float
    run: int = 0
    pid: int | None = None
    creates: int = 0
    made: list[Made] = field(default_factory=list)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    sent_in: dict[int, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"world {self.number} {self.plan.seed}")
        self.user_id = self._make_id()
        self.name = _name_ordered(self.plan.name, self.number)
        self.price = round(self.chance.uniform(1.0, 9.0), 2)
        self.max_price = round(self.price + 1.5, 2) if self.plan.consent else None
        # Where this user's pods are in the list: at its ends, or where its pages meet.
        self.place = self.chance.choice((0, 99, 100, 100, 100, 10_000))
        stored = self.name_stored(self.name)
        count = self.chance.randint(101, 130) if self.plan.is_large else self.chance.randint(0, 3)
        names = [self.name, stored, *(f"other-{number}" for number in range(count))]
        for name in names[: count + 1]:
            self.add_other(name, at=len(self.order))
        self.begin_run(0)

    def begin_run(self, run: int, pid: int | None = None) -> None:
        """Note that the launch is run again, and in which process."""
        self.run, self.pid = run, pid
        self.moves_left, self.empty_reads_left, self.status_left = 6, 2 if run > 1 else 0, 3
        self.reads = 0
        self.bad_reads = _draw_bad_reads(self.plan.reads, self.chance)
        self.sent: list[str] = []
        self.sent_in[run] = self.sent

    def add_other(self, name: str, *, at: int) -> None:
        """Add a pod of another user that this key can see, at an index of the list."""
        row = self.make_other(name)
        self.others[row["id"]] = row
        self.order.insert(at, row["id"])

    def end_other(self) -> None:
        """End a pod of another user that is near the beginning of the list."""
        ended = self.chance.choice([pod_id for pod_id in self.order[:90] if pod_id in self.others])
        self.order.remove(ended)
        del self.others[ended]

    def make_other(self, name: str) -> dict[str, Any]:
        """Describe a pod of another user."""
        row = self._row(self._make_id(), name, self._make_id())
        moment = datetime.now(timezone.utc) - timedelta(seconds=self.chance.uniform(60, 1e6))
        return {**row, "createdAt": _as_text(moment), "priceHr": 1.0, "status": "ACTIVE"}

    def act(self, body: dict[str, Any], *, late: bool) -> Made:
        """Carry out a create, now or within the time that a launch looks for its pod."""
        now = time.monotonic()
        acted_at = now + (0.3 * self.settle_s if late else 0.0)
        made = Made(
            id=self._make_id(),
            run=self.run,
            name=self.name_stored(body["pod"].get("name") or ""),
            agreed=float(body["pod"].get("maxPrice") or 0.0),
            acted_at=acted_at,
            listed_at=acted_at + (0.3 * self.settle_s if self.plan.lists == "lags" else 0.0),
            created_at=datetime.now(timezone.utc),
            team_id="team-default" if self.plan.team else (body.get("team") or {}).get("teamId"),
            gpu_count=body["pod"]["gpuCount"] * (2 if self.plan.count else 1),
        )
        if living := [str(pod) for pod in self.made if pod.lives]:
            self.faults.append(f"doubled: {made.id} was made although {', '.join(living)} lives")
        self.made.append(made)
        at = max(self.place, 100) if self.plan.lists == "second-page-empty" else self.place
        self.order.insert(min(at, len(self.order)), made.id)
        return made

    def find(self, pod_id: str) -> Made | None:
        """Return the pod of this id, if it is there."""
        return next((made for made in self.made if made.id == pod_id and made.is_there), None)

    def tell(self, made: Made, *, in_status: bool = False) -> dict[str, Any]:
        """Describe a pod as it is now. Whoever is told has looked once more."""
        made.looks += 1
        made.is_told = True
        row = {**self._row(made.id, made.name, self._user_told()), **self._life(made)}
        row |= {"teamId": made.team_id, "gpuCount": made.gpu_count, "gpuName": self._gpu_told()}
        row |= {"createdAt": _as_text(made.created_at), **self._prices(made)}
        if row["userId"] is None:
            del row["userId"]
        if in_status:
            row = {key: value for key, value in row.items() if key in _STATUS_FIELDS} | {"podId": made.id}
            if "costPerHr" not in row and "priceHr" in row:
                row["costPerHr"] = row.pop("priceHr")
        told = [price for key in _PRICES if (price := _as_number(row.get(key))) is not None]
        if told and max(told) > made.agreed + CENT + _ROUNDING:
            made.told_over += 1
        return row

    def name_stored(self, name: str) -> str:
        """Return a name as the service stores it."""
        change = {
            "trimmed": str.strip,
            "lowered": str.lower,
            "shortened": lambda text: text[:20],
            "nfc": lambda text: unicodedata.normalize("NFC", text),
            "nfkc": lambda text: unicodedata.normalize("NFKC", text),
            "prefixed": lambda text: f"acme-{text}",
        }.get(self.plan.name, str)
        return change(name)

    def _prices(self, made: Made) -> dict[str, Any]:
        agreed, is_late = made.agreed, made.looks >= _READY_AFTER_LOOKS
        dear = round(agreed * 10, 2)
        told: dict[str, dict[str, Any]] = {
            "cent-below": {"priceHr": agreed - CENT},
            "less-than-a-cent-above": {"priceHr": agreed + 0.009},
            "two-cents-above": {"priceHr": agreed + 0.02},
            "ten-times": {"priceHr": dear},
            "ten-times-only-in-provisioningPriceHr": {"priceHr": None, "provisioningPriceHr": dear},
            "ten-times-as-text": {"priceHr": f"{dear:.2f}"},
            "ten-times-in-costPerHr": {"priceHr": None, "costPerHr": dear},
            "agreed-in-costPerHr": {"priceHr": None, "costPerHr": agreed},
            "ten-times-in-provisioningPriceHr": {"priceHr": agreed, "provisioningPriceHr": dear},
            "agreed-told-later": {"priceHr": agreed if is_late else None},
            "ten-times-told-later": {"priceHr": dear if is_late else None},
            "rises": {"priceHr": dear if is_late else agreed},
            "zero": {"priceHr": 0},
            "negative": {"priceHr": -5},
        }
        return told.get(self.plan.price, {"priceHr": agreed})

    def _life(self, made: Made) -> dict[str, Any]:
        if made.gone_at is not None:
            return {"status": "DELETING"}
        if not made.is_up or self.plan.price.endswith("in-provisioningPriceHr"):
            return {"status": "PROVISIONING", "installationStatus": "PENDING", "installationProgress": 0}
        if self.plan.ready.startswith("pod-"):
            return {"status": self.plan.ready.removeprefix("pod-"), "installationStatus": "PENDING"}
        word = self.plan.ready or "FINISHED"
        return {"status": "ACTIVE", "installationStatus": word, "installationProgress": 100, **self._ssh()}

    def _ssh(self) -> dict[str, Any]:
        text: Any = {
            "port-glued": f"root@{SSH_HOST} -p{SSH_PORT}",
            "flags-first": f"-p {SSH_PORT} root@{SSH_HOST}",
            "with-ssh": f"ssh root@{SSH_HOST} -p {SSH_PORT}",
            "url": f"ssh://root@{SSH_HOST}:{SSH_PORT}",
            "list": [f"root@{SSH_HOST} -p {SSH_PORT}"],
            "ip-list": None,
            "used-by-null": None,
        }.get(self.plan.ssh, f"root@{SSH_HOST} -p {SSH_PORT}")
        if text is not None:
            # Only the text says where the pod is.
            return {"sshConnection": text, "ip": None, "primePortMapping": []}
        port = {"internal": "22", "external": SSH_PORT, "protocol": "TCP", "description": None}
        port["usedBy"] = None if self.plan.ssh == "used-by-null" else "SSH"
        ip = [SSH_HOST] if self.plan.ssh == "ip-list" else SSH_HOST
        return {"sshConnection": None, "ip": ip, "primePortMapping": [port]}

    def _row(self, pod_id: str, name: str, user_id: str | None) -> dict[str, Any]:
        return {
            "id": pod_id,
            "userId": user_id,
            "teamId": None,
            "name": name,
            "type": "HOSTED",
            "providerType": "runpod",
            "gpuName": GPU,
            "gpuCount": 1,
            "socket": "PCIe",
            "environmentType": "ubuntu_22_cuda_12",
            "stoppedPriceHr": None,
            "provisioningPriceHr": 0.0,
            "sshConnection": None,
            "ip": None,
            "primePortMapping": [],
            "resources": {"memory": 128, "disk": 100, "shared_disk": 0, "vcpus": 16},
            "attachedResources": [],
            "installationFailure": None,
        }

    def _user_told(self) -> str | None:
        if self.plan.user == "missing":
            return None
        return str(uuid.UUID(self.user_id)).upper() if self.plan.user == "respelled" else self.user_id

    def _gpu_told(self) -> str:
        return {"respelled": "H100 80GB", "lowered": GPU.lower()}.get(self.plan.gpu, GPU)

    def _make_id(self) -> str:
        return f"{self.chance.getrandbits(128):032x}"


_STATUS_FIELDS = frozenset(
    """providerType status sshConnection ip installationStatus installationProgress installationFailure
    primePortMapping priceHr costPerHr""".split()
)


def _name_ordered(behavior: str, number: int) -> str:
    # Several accounts on one computer use the same names.
    number %= 7
    return {
        "trimmed": f"train {number} ",
        "lowered": f"Train-{number}",
        "shortened": f"my-long-training-run-number-{number}",
        "nfc": f"cafe\u0301-{number}",
        "nfkc": f"\ufb01ne-tune-{number}",
    }.get(behavior, f"train-{number}")


def _draw_bad_reads(behavior: str, chance: random.Random) -> dict[int, str]:
    """Choose which reads of a run fail, and how; at most three one after the other."""
    ways = ("500", "502", "503", "429", "html", "cut", "truncated", "null", "slow")
    starts = {"few": 2, "many": 4}.get(behavior, 0)
    bad: dict[int, str] = {}
    for _ in range(starts):
        first = 4 * chance.randrange(6)
        bad |= {first + more: chance.choice(ways) for more in range(chance.randint(1, 3))}
    return bad


def _as_number(value: object) -> float | None:
    """Return a price that is one."""
    if value is None:
        return None
    price = float(value)  # type: ignore[arg-type]
    return price if price > 0 else None


def _as_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
