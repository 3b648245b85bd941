"""The part of a launch in which money moves: one request, and whatever it takes to know what came of it."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from typing import Literal, NoReturn

from primepods_magic.api.errors import (
    LaunchRefused,
    OutcomeUnknown,
    OutOfStock,
    PodFailed,
    PodsError,
    ServiceUnavailable,
    WaitInterrupted,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.requests import CreateRequest
from primepods_magic.api.text import clean

from .connection import Connection
from .guards import end_if_too_dear, refuse_above
from .identity import name_space, named_pods, standing, team_of
from .intents import Intent, IntentFile
from .locks import launching
from .offers import Quote, alternatives
from .plan import LaunchPlan
from .remove import GONE, remove_pods
from .resolve import earlier_launch, find_out, known_ids

__all__ = ["Creation"]

# Words of capacity from an overloaded service are no proof that nothing was created.
CAPACITY_SETTLE_S = 10.0
TWINS_BUDGET_S = 2.0

Stage = Literal["looking", "ending", "creating", "done"]


class Creation:
    """One launch being carried out, on a thread of its own, so that Ctrl-C need not wait for it.

    Parameters
    ----------
    connection : Connection
        Where.
    plan : LaunchPlan
        What was consented to; its pod does not exist yet.

    Attributes
    ----------
    notices : list of str
        What a person should know about what came of it.
    has_ordered : bool
        A create was sent; else a pod that comes of it was there already.
    """

    def __init__(self, connection: Connection, plan: LaunchPlan) -> None:
        if plan.request is None or plan.quote is None:
            raise ValueError("a plan without an existing pod has a quote and a request")
        self.notices: list[str] = []
        self._connection = connection
        self._plan = plan
        self._quote: Quote = plan.quote
        self._request: CreateRequest = plan.request
        self._name = clean(plan.name)
        self._mutex = threading.Lock()
        self._stage: Stage = "looking"
        self.has_ordered = False
        self._is_interrupted = False

    def run(self) -> PodDetails:
        """Create the pod, or find the one that another kernel has created since the plan was made.

        Raises
        ------
        PodsError
            As `launch`.
        """
        place = name_space(self._connection, self._plan.spec)
        with contextlib.ExitStack() as held:
            if self._plan.limits.max_burn_usd_hr is not None:
                # Of two launches at once that both see room for one, only one may have it.
                held.enter_context(launching(place, "", on_wait=self._go_on))
            note = held.enter_context(launching(place, self._plan.name, on_wait=self._go_on))
            return self._run(note)

    def interrupt(self) -> PodsError:
        """Stop where nothing has been sent yet, and say how things stand; what was sent is seen through."""
        with self._mutex:
            self._is_interrupted = True
            stage = self._stage
        if stage == "looking":
            return WaitInterrupted(f"interrupted before '{self._name}' was ordered; nothing was created")
        if stage == "ending":
            return WaitInterrupted(
                f"interrupted while the old '{self._name}' was being ended; no new one was created. "
                "'%pods ls' shows what is left"
            )
        if stage == "done":
            return WaitInterrupted(
                f"interrupted, but '{self._name}' was launched and is billed. Running this again answers "
                "with it"
            )
        return OutcomeUnknown(
            f"interrupted while '{self._name}' was being created: it may exist and be billed. What came of "
            "it is being found out; running this again waits for that and answers with the pod"
        )

    def _go_on(self, stage: Stage = "looking") -> None:
        with self._mutex:
            if self._is_interrupted:
                raise LaunchRefused(f"interrupted; '{self._name}' was not created")
            self._stage = stage

    def _run(self, note: IntentFile) -> PodDetails:
        connection, plan = self._connection, self._plan
        earlier = earlier_launch(connection, note, plan.digest, plan.settle_s)
        pods = list(earlier.listed) if earlier else connection.client.list_all_pods()
        if plan.new:
            if earlier is not None and earlier.is_untold:
                return earlier.pod
        else:
            found = standing(connection, pods, plan.spec)
            agreed = {pod.id for pod in plan.replaces}
            if found.pod is not None:
                return found.pod
            if found.refusal and not (found.in_the_way and agreed >= {pod.id for pod in found.in_the_way}):
                raise found.refusal
            if found.in_the_way:
                self._go_on("ending")
                self._end(found.in_the_way)
                pods = [pod for pod in pods if pod not in found.in_the_way]
        others = [pod for pod in pods if connection.may_be_mine(pod)]
        refuse_above(plan.limits, self._quote, plan.name, others)
        intent = Intent(
            name=plan.name,
            team_id=team_of(connection, plan.spec),
            gpu_type=self._request.pod.gpu_type,
            gpu_count=self._request.pod.gpu_count,
            digest=plan.digest,
            known_ids=known_ids(connection, pods, plan.name),
            sent_at=connection.now(),
        )
        if not note.write(intent):
            self.notices.append(
                "no note of this launch could be kept on this computer: where a kernel dies meanwhile, look "
                "with '%pods ls' before launching again"
            )
        pod = self._create(note, intent)
        intent = replace(intent, pod_id=pod.id)
        note.write(intent)
        end_if_too_dear(connection, pod, plan.spec, plan.limits, others)
        self._notice_twins(pod, intent)
        with self._mutex:
            self._stage = "done"
            if not self._is_interrupted:
                note.write(replace(intent, is_delivered=True))
        return pod

    def _end(self, pods: tuple[PodDetails, ...]) -> None:
        """End what is replaced, and make sure that it is gone."""
        for removal in remove_pods(self._connection, pods):
            if removal.outcome != GONE:
                raise LaunchRefused(
                    f"the old '{self._name}' ({removal.id}) is {removal.outcome}; no new one was created"
                )

    def _create(self, note: IntentFile, intent: Intent) -> PodDetails:
        # Raised after the block: what is being handled inside one stays attached, with all that was sent.
        failure: PodsError
        try:
            self._go_on("creating")
            self.has_ordered = True
            return self._connection.client.create_pod(self._request)
        except PodsError as refused:
            failure = refused
        except Exception as error:  # noqa: BLE001 - whatever it is, a pod may exist
            failure = OutcomeUnknown(f"{type(error).__name__} broke it off")
        if isinstance(failure, OutcomeUnknown):
            return self._found(note, intent, self._plan.settle_s) or self._not_created(failure)
        if isinstance(failure, OutOfStock):
            return self._found_although_sold_out(note, intent, failure) or self._sold_out(failure)
        note.clear()
        raise failure

    def _not_created(self, unknown: OutcomeUnknown) -> NoReturn:
        status = unknown.status_code
        reason = f"the service failed (HTTP {status})" if status else "no good answer came"
        raise ServiceUnavailable(
            f"'{self._name}' was not created: {reason}, and no such pod was to be seen within "
            f"{self._plan.settle_s:g} s. Running this again launches it anew",
            status_code=status,
            request_id=unknown.request_id,
            said=unknown.said,
        )

    def _found(self, note: IntentFile, intent: Intent, settle_s: float) -> PodDetails | None:
        outcome = find_out(self._connection, intent, settle_s)
        if outcome.pods:
            return outcome.pods[0]
        note.clear()
        if outcome.ended_id:
            raise PodFailed(f"'{self._name}' was created ({outcome.ended_id}) and has ended already")
        return None

    def _found_although_sold_out(
        self, note: IntentFile, intent: Intent, sold_out: OutOfStock
    ) -> PodDetails | None:
        if sold_out.status_code == 503:
            return self._found(note, intent, min(CAPACITY_SETTLE_S, self._plan.settle_s))
        try:
            return self._found(note, intent, 0)
        except OutcomeUnknown:
            # A refusal is one, although nobody could look.
            note.clear()
            return None

    def _sold_out(self, sold_out: OutOfStock) -> NoReturn:
        try:
            near = alternatives(self._connection.client, self._plan.spec, self._quote.offer)
        except PodsError:
            near = ""
        raise OutOfStock(
            f"{sold_out}; '{self._name}' was not created.{near}",
            status_code=sold_out.status_code,
            request_id=sold_out.request_id,
            said=sold_out.said,
        )

    def _notice_twins(self, pod: PodDetails, intent: Intent) -> None:
        """Another computer may have launched the name at the same moment; nothing can prevent that."""
        try:
            pods = self._connection.client.list_all_pods(budget_s=TWINS_BUDGET_S)
        except PodsError:
            return
        known = {pod.id, *intent.known_ids}
        named = named_pods(self._connection, pods, intent.name, intent.team_id)
        twins = [str(twin.id) for twin in named if twin.id not in known]
        if twins:
            self.notices.append(
                f"another live pod is called '{self._name}' now ({', '.join(twins)}): it was launched "
                f"elsewhere at the same moment, and both are billed. '%pods rm {pod.id_word}' ends this one"
            )
