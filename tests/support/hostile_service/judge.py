"""Judge what launches reported by what the service knows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.support.hostile_service.plan import KINDS
from tests.support.hostile_service.runs import DEAR, HUNG, HUNG_S, KILLED, NONE, POD, RAW, TAKEN, UNKNOWN, Run
from tests.support.hostile_service.world import SSH_HOST, SSH_PORT, World

__all__ = ["Report", "Verdict", "judge_launch"]

# The create's own answer, the list after it, the pod by itself, and one that crossed the termination.
_MAX_TOLD_BEFORE_DELETE = 4
_LOG_LINES = 60
_LINE_CHARACTERS = 160
_SOLD_OUT = ("400-capacity", "409-capacity", "500-capacity", "503-capacity")


@dataclass(frozen=True)
class Verdict:
    """A launch, what its runs reported, and what is wrong with that.

    Parameters
    ----------
    world : World
        The truth.
    runs : tuple of Run
        In their order.
    faults : tuple of str
        What is wrong, in words that begin with the rule that is broken.
    """

    world: World
    runs: tuple[Run, ...]
    faults: tuple[str, ...]

    def __str__(self) -> str:
        world = self.world
        parts = [
            f"launch {world.number}, {world.plan}, ordered as {world.name!r} at ${world.price}/h",
            *(f"  FAULT {fault}" for fault in self.faults),
            *(f"  made {made}" for made in world.made),
            *(f"  {run}" for run in self.runs),
            *(f"    {line}" for line in world.log[-_LOG_LINES:]),
        ]
        return "\n".join(parts)


def judge_launch(world: World, runs: Iterable[Run]) -> Verdict:
    """Compare what the runs of a launch reported with what the service has made."""
    runs = tuple(sorted(runs, key=lambda run: run.run))
    faults = [*world.faults]
    for run in runs:
        faults += _judge_run(world, run)
        faults += _judge_wait(world, run)
    faults += _judge_prices(world, runs)
    # The service may kill every run before it acts.
    could_make = runs[-1].kind != KILLED and not world.plan.may_stay_unknown and not world.plan.create
    if not world.made and could_make:
        faults.append(f"refused: nothing was ever made ({runs[-1].said})")
    return Verdict(world, runs, tuple(dict.fromkeys(faults)))


def _judge_run(world: World, run: Run) -> list[str]:
    made_now = [made for made in world.made if made.run == run.run]
    alive = ", ".join(str(made) for made in made_now if made.lives)
    faults = []
    if run.kind == RAW:
        faults.append(f"raw: {run.error}: {run.said}")
    if run.kind != KILLED and (run.kind == HUNG or run.took_s > HUNG_S):
        faults.append(f"hung: run {run.run} took {run.took_s:.0f} s")
    if run.kind not in (POD, KILLED, HUNG) and not run.said.strip():
        faults.append(f"wordless: {run.error} says nothing")
    if run.kind == POD and run.pod_id not in [made.id for made in world.made if made.lives or made.is_over]:
        faults.append(f"untrue: run {run.run} returned {run.pod_id}, which is not there")
    if run.kind in (NONE, TAKEN) and alive:
        faults.append(f"untrue: run {run.run} said {run.error} ({run.said}), and it made {alive}")
    if run.kind == UNKNOWN and not world.plan.may_stay_unknown:
        faults.append(f"unknown: run {run.run} said {run.said}, which could be known")
    if run.kind == DEAR and alive and "could not be" not in run.said:
        faults.append(f"dear: run {run.run} said {run.said}, and it made {alive}")
    return faults + _judge_words(world, run)


def _judge_words(world: World, run: Run) -> list[str]:
    """Judge whether the service's refusal of a create was understood and passed on."""
    if run.kind != NONE or not (sent := world.sent_in.get(run.run)):
        return []
    behavior = sent[-1]
    if behavior in _SOLD_OUT and run.error != "OutOfStock":
        return [f"words: {behavior} is {run.error}, not OutOfStock ({run.said})"]
    if behavior == "500" and "failure" not in run.said:
        return [f"words: the service's reason is hidden behind {run.said}"]
    return []


def _judge_wait(world: World, run: Run) -> list[str]:
    made = next((made for made in world.made if made.id == run.pod_id), None)
    if not run.wait or made is None:
        return []
    plan = world.plan
    if run.wait == RAW:
        return [f"raw: the wait raised {run.wait_said}"]
    if run.wait == "BudgetExceeded":
        return [] if made.is_over else [f"dear: the wait said {run.wait_said}, and no price is above"]
    if run.wait == "PodFailed" and made.lives and not plan.ready.startswith("pod-") and not made.is_over:
        return [f"untrue: the wait said {run.wait_said}, and the pod lives"]
    if run.wait == "ready" and not (SSH_HOST in (run.ssh or "") and SSH_PORT in (run.ssh or "")):
        return [f"words: ready, and reached by {run.ssh!r}"]
    comes_up = not plan.price.endswith("in-provisioningPriceHr") and not made.is_over
    # Many reads fail for longer than a wait lasts, and it says so.
    if run.wait == "WaitTimedOut" and comes_up and plan.reads != "many":
        return [f"words: never ready or failed with {plan} ({run.wait_said})"]
    return []


def _judge_prices(world: World, runs: tuple[Run, ...]) -> list[str]:
    """Judge whether each pod that was told to be above its price was terminated at once, and said so."""
    faults = []
    said = [run.said for run in runs if run.kind == DEAR]
    said += [run.wait_said for run in runs if run.wait == "BudgetExceeded"]
    doubts = [run.said for run in runs if run.kind == UNKNOWN]
    for made in world.made:
        if not made.is_over:
            continue
        if any(made.id in text and "was not terminated" in text for text in doubts):
            # No one can tell that it is the launch's: its name, or its GPU, is not what was ordered.
            continue
        if not made.delete_asked:
            faults.append(f"dear: never terminated, told {made.told_over} times: {made}")
        elif world.plan.lists == "" and made.told_before_delete > _MAX_TOLD_BEFORE_DELETE:
            faults.append(f"dear: terminated after it was told {made.told_before_delete} times: {made}")
        if not any(made.id in text for text in said):
            faults.append(f"dear: no BudgetExceeded names {made}")
    return faults


class Report:
    """Verdicts of all launches, as figures and as failures.

    Parameters
    ----------
    verdicts : iterable of Verdict
        One for each launch.
    """

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self.verdicts = list(verdicts)

    @property
    def failures(self) -> list[Verdict]:
        """Launches with a fault."""
        return [verdict for verdict in self.verdicts if verdict.faults]

    def list_failures(self) -> str:
        """List every fault in a line, by its rule and by the seed of its launch."""
        lines = [
            f"  {_rule_of(fault)}, {one.world.plan}: {fault[:_LINE_CHARACTERS]}"
            for one in self.failures
            for fault in one.faults
        ]
        return "\n".join(sorted(lines))

    @property
    def broken_rules(self) -> Mapping[str, int]:
        """How many launches break each rule."""
        return Counter(rule for one in self.verdicts for rule in {_rule_of(fault) for fault in one.faults})

    @property
    def outcomes(self) -> Mapping[str, Counter[str]]:
        """Outcomes of runs for each kind of behavior that their launch met."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for verdict in self.verdicts:
            kinds = {KINDS[name] for name in verdict.world.plan.behaviors} or {"none"}
            for kind in kinds:
                found[kind].update(run.kind for run in verdict.runs)
                found[kind]["faulty launches"] += bool(verdict.faults)
        return found

    def summarize(self) -> str:
        """Return the figures of all launches."""
        runs = [run for verdict in self.verdicts for run in verdict.runs]
        times = sorted(run.took_s for run in runs if run.kind != KILLED) or [0.0]
        made = [made for verdict in self.verdicts for made in verdict.world.made]
        over = [pod for pod in made if pod.is_over]
        requests = sum(len(verdict.world.log) for verdict in self.verdicts)
        kinds = Counter(run.kind for run in runs)
        lines = [
            f"{len(self.verdicts)} launches, {len(runs)} runs, {requests} requests, {len(made)} pods made: "
            + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
            f"{len(over)} pods told above their agreed price, {sum(not pod.lives for pod in over)} of them "
            f"terminated; time to a result: median {times[len(times) // 2]:.2f} s, 99th percentile "
            f"{times[int(len(times) * 0.99)]:.2f} s",
            *(
                f"  kind {kind}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
                for kind, counts in sorted(self.outcomes.items())
            ),
            f"{len(self.failures)} launches with a fault: "
            + (", ".join(f"{count} {rule}" for rule, count in sorted(self.broken_rules.items())) or "none"),
        ]
        return "\n".join(lines)


def _rule_of(fault: str) -> str:
    first, colon, _ = fault.partition(":")
    return first if colon and " " not in first else "create"
