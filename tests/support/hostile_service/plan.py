"""Behaviors of a hostile service, and a seeded choice of them for each launch.

The service stays within what a launch promises, so that every launch can be judged:

- A pod whose create was answered badly is in the list within 60 % of ``settle_s``, and the list is then the
  truth apart from what `BEHAVIORS` names. A refusal (4xx) that was acted on shows its pod at once.
- A pod whose id was told in a good answer is told of by ``GET /pods/{id}`` from then on.
- While the list denies a pod, the status does not, and the other way round.
- After a badly answered create, the only new pod that belongs to this user is the one it made. Its owner is
  left out only if it looks like what was ordered, and is never spelled in another way.
- A read fails at most three times in a row.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

__all__ = ["BEHAVIORS", "KINDS", "Plan", "draw_plan", "list_single_behaviors"]

KINDS: Mapping[str, str] = {
    "consent": "3",
    "price": "3",
    "offers": "3",
    "lists": "4",
    "status": "4",
    "name": "5",
    "team": "5",
    "user": "5",
    "gpu": "5",
    "count": "5",
    "stock": "6",
    "ready": "6",
    "ssh": "6",
    "create": "6 and before",
    "reads": "before",
    "delete": "before",
    "date": "before",
    "history": "before",
    "kernel": "before",
}
"""The kind that each field of a plan belongs to."""

BEHAVIORS: Mapping[str, tuple[str, ...]] = {
    "consent": ("max-price",),
    "price": (
        "cent-below",
        "less-than-a-cent-above",
        "two-cents-above",
        "ten-times",
        "ten-times-in-costPerHr",
        "agreed-in-costPerHr",
        "ten-times-in-provisioningPriceHr",
        "ten-times-only-in-provisioningPriceHr",
        "ten-times-as-text",
        "agreed-told-later",
        "ten-times-told-later",
        "rises",
        "zero",
        "negative",
    ),
    "offers": ("zero", "negative", "nan", "none", "infinity", "euro", "text"),
    "lists": (
        "moves",
        "second-page-empty",
        "total-of-page",
        "total-zero",
        "total-too-large",
        "unstable-order",
        "offset-ignored",
        "pages-of-fifty",
        "lags",
        "empty-while",
    ),
    "status": ("omits", "omits-at-first", "missing"),
    "name": ("trimmed", "lowered", "shortened", "nfc", "nfkc", "prefixed"),
    "team": ("default-team",),
    "user": ("missing", "respelled"),
    "gpu": ("respelled", "lowered"),
    "count": ("doubled",),
    "stock": (
        "Out of Stock",
        "out_of_stock",
        "SOLD_OUT",
        "Sold out",
        "unavailable",
        "UNAVAILABLE",
        "None",
    ),
    "ready": ("SUCCESS", "success", "Completed", "pod-FAILED", "pod-Failed"),
    "ssh": ("port-glued", "flags-first", "with-ssh", "url", "list", "ip-list", "used-by-null"),
    "create": (
        "cut-before",
        "cut-after",
        "cut-late",
        "429",
        "429-retry-after",
        "429-acted",
        "500",
        "500-acted",
        "502-acted",
        "503-acted",
        "504-acted-late",
        "301-acted",
        "302-acted",
        "303-acted",
        "307-acted",
        "html-acted",
        "no-id-acted",
        "truncated-acted",
        "empty-acted",
        "null-acted",
        "slow",
        "400-capacity",
        "409-capacity",
        "422-capacity",
        "500-capacity",
        "503-capacity",
        "400-capacity-acted",
        "409-capacity-acted",
        "500-capacity-acted",
        "503-capacity-acted",
        "402",
    ),
    "reads": ("few", "many"),
    "delete": ("500", "500-acted", "cut-acted", "slow-to-go"),
    "date": ("ahead", "back", "hops", "absent", "garbled"),
    "history": ("lags",),
    "kernel": ("new", "forked", "killed-before", "killed-after"),
}
"""What each field of a plan can be, beside the empty text for a service that behaves."""

# What a create's answer says nothing of; the pod has to be looked for.
_LOSING = ("-acted", "cut-", "-late")
_LARGE_LISTS = ("moves", "second-page-empty", "total-of-page", "unstable-order", "offset-ignored")


@dataclass(frozen=True)
class Plan:
    """How the service behaves towards one launch; an empty text is as documented.

    Parameters
    ----------
    seed : int
        Of everything else that is left to chance.
    times : int
        How many creates the behavior of ``create`` holds for.
    """

    seed: int
    times: int = 1
    consent: str = ""
    price: str = ""
    offers: str = ""
    lists: str = ""
    status: str = ""
    name: str = ""
    team: str = ""
    user: str = ""
    gpu: str = ""
    count: str = ""
    stock: str = ""
    ready: str = ""
    ssh: str = ""
    create: str = ""
    reads: str = ""
    delete: str = ""
    date: str = ""
    history: str = ""
    kernel: str = ""

    @property
    def behaviors(self) -> dict[str, str]:
        """Each field that is not as documented."""
        return {name: value for name in BEHAVIORS if (value := getattr(self, name))}

    @property
    def is_large(self) -> bool:
        """More than a page of pods is visible."""
        return self.lists in (*_LARGE_LISTS, "pages-of-fifty")

    @property
    def loses_the_answer(self) -> bool:
        """The pod of a create has to be looked for."""
        return any(part in self.create for part in _LOSING) or self.kernel.startswith("killed")

    @property
    def may_stay_unknown(self) -> bool:
        """A careful reader can be left in doubt, or the pod does not look like what was ordered."""
        is_changed = self.name or self.team or self.user or self.gpu or self.count
        return bool(self.lists in _LARGE_LISTS or self.reads or is_changed)

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.behaviors.items())
        return f"seed {self.seed}: {told or 'as documented'}"


def draw_plan(seed: int, *, share: float = 0.3, kernels: bool = False) -> Plan:
    """Draw a plan, each behavior independently, within what the service promises.

    Parameters
    ----------
    seed : int
        Gives the same plan again.
    share : float
        Probability of each field to be off what is documented.
    kernels : bool
        Each run has a process of its own, which may be killed.
    """
    chance = random.Random(seed)
    chosen = {name: chance.choice(values) for name, values in BEHAVIORS.items() if chance.random() < share}
    if kernels:
        chosen["kernel"] = chance.choice(("forked", "killed-before", "killed-after"))
    else:
        chosen["kernel"] = chance.choice(("", "", "new"))
    return _keep_promise(Plan(seed, times=chance.choice((1, 1, 2, 3)), **chosen))


def list_single_behaviors() -> Iterator[tuple[str, str]]:
    """Yield every behavior as its field and value."""
    for name, values in BEHAVIORS.items():
        for value in values:
            yield name, value


def _keep_promise(plan: Plan) -> Plan:
    """Drop what would make an outcome impossible to find out."""
    if plan.create.startswith("4") and plan.create.endswith("-acted"):
        calm = {"lists": "", "name": "", "team": "", "user": "", "gpu": "", "count": ""}
        plan = replace(plan, **calm)
    is_more_changed = bool(plan.name or plan.team or plan.gpu or plan.count)
    if plan.loses_the_answer and (plan.user == "respelled" or is_more_changed):
        plan = replace(plan, user="")
    if plan.lists in ("lags", "empty-while", "offset-ignored", "second-page-empty"):
        plan = replace(plan, status="")
    if plan.kernel.startswith("killed"):
        plan = replace(plan, create="")
    return plan


assert set(BEHAVIORS) == set(KINDS) <= {one.name for one in fields(Plan)}
