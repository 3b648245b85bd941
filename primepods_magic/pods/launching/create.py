"""The part of a launch that spends money: send one create, and resolve its outcome."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import Future
from dataclasses import replace

from primepods_magic.api.errors import (
    BudgetExceeded,
    LaunchRefused,
    OutcomeUnknown,
    OutOfStock,
    PodFailed,
    PodsError,
    RateLimited,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.requests import CreateRequest
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.pods.audit import AuditEvent, note_event
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.journal import LaunchJournal, LaunchRecord, Order, digest_accounts
from primepods_magic.pods.launching.journal.lookup import hold_name
from primepods_magic.pods.launching.journal.name_lock import launching
from primepods_magic.pods.launching.journal.recorded_prices import hold_pod
from primepods_magic.pods.offers import Quote
from primepods_magic.pods.terminate import GONE, terminate_pods
from primepods_magic.pods.unlisted import find_burning

from . import failures
from .agreed_prices import describe_unread, is_kept
from .created_pod import find_listed, known_ids
from .differences import list_changes, list_doubts
from .existing import return_earlier
from .limits import check_limits, terminate_if_over_limit
from .naming import named_pods, team_of
from .plan import LaunchPlan, hold_to_prices, read_pods
from .recovery import claim_pod, find_created_pod, resume_launch

__all__ = ["PodCreation"]

# A capacity message of an overloaded service does not prove that nothing was created.
CAPACITY_SETTLE_S = 10.0
# A conflict without a message means no machines, or a create that was sent twice.
_CONFLICT_SETTLE_S = 5.0
_RATE_LIMIT_SETTLE_S = 10.0
TWINS_BUDGET_S = 2.0
TWINS_SETTLE_S = 10.0


class PodCreation:
    """A launch in progress, on its own thread so that Ctrl-C need not wait for it.

    The plan has no existing pod. ``notices`` are for the user; ``is_create_sent`` is true once a create was
    sent.
    """

    def __init__(self, connection: Connection, plan: LaunchPlan) -> None:
        if plan.request is None or plan.quote is None:
            raise ValueError("a plan without an existing pod has a quote and a request")
        self.notices: list[str] = []
        self._connection, self._plan = connection, plan
        self._quote: Quote = plan.quote
        self._request: CreateRequest = plan.request
        self._name = sanitize(plan.name)
        self._mutex = threading.Lock()
        self._stage: failures.LaunchStage = "preparing"
        self.is_create_sent = False
        self._is_interrupted = False
        self._previous: LaunchRecord | None = None
        self._replaced = ""

    def run(self) -> PodDetails:
        """Create the pod, or find the one that another kernel has created since. Errors as `launch`."""
        # Raised after the block, or the handled error would stay attached with everything that was sent.
        failure: PodsError
        try:
            return self._hold_and_run()
        except PodsError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is, a pod may exist
            failure = self._describe_break(error)
        failure.prepend(self._replaced)
        raise failure

    def _describe_break(self, error: Exception) -> PodsError:
        text = f"The launch of '{self._name}' failed with {type(error).__name__}"
        if not self.is_create_sent:
            return PodsError(f"{text}. Nothing was created")
        return OutcomeUnknown(
            f"{text} after the create was sent. The pod may exist and be billed. '%pods ls' shows your pods. "
            "Run this again to look for it first"
        )

    def _hold_and_run(self) -> PodDetails:
        with contextlib.ExitStack() as held:
            if self._plan.limits.max_burn_usd_hr is not None:
                # Two concurrent launches must not both use the room for one.
                held.enter_context(launching(self._connection, "", on_wait=self._go_on))
            journal = held.enter_context(
                # Another launch of the name, which may rent its pod.
                hold_name(self._connection, self._plan.spec, on_wait=lambda: self._go_on("searching"))
            )
            return self._create_or_find(journal)

    def interrupt(self, work: Future[PodDetails] | None = None) -> PodsError:
        """Stop before the create, if it was not sent yet, and return the error that describes the state.

        The next command reports an error that ``work`` ends with if the create was sent, or pods terminated.
        """
        if work is not None:
            kind = PodsError if self.is_create_sent else BudgetExceeded
            self._connection.agreements.report_later(work, kind)
        with self._mutex:
            self._is_interrupted = True
            stage = self._stage
        interrupted = failures.describe_interrupt(stage, self._name)
        if stage != "ending":
            interrupted.prepend(self._replaced)
        return interrupted

    def _go_on(self, stage: failures.LaunchStage = "preparing") -> None:
        with self._mutex:
            if self._is_interrupted:
                raise LaunchRefused(f"Interrupted. '{self._name}' was not created")
            self._stage = stage

    def _create_or_find(self, journal: LaunchJournal) -> PodDetails:
        connection, plan = self._connection, self._plan
        if journal.read() is not None:
            self._go_on("searching")
        earlier = resume_launch(connection, journal, plan.digest, plan.settle_s, is_new=plan.new)
        if earlier is None:
            self._go_on("preparing")
        plan = replace(plan, earlier=earlier)
        agreed = {pod.id for pod in plan.replaces}
        pods, found = read_pods(connection, plan, lambda pod: pod.id in agreed, self.notices.append)
        if found.pod is not None:
            # Another run of this launch has created it since the plan.
            return_earlier(connection, plan, found.pod, journal, self.notices.append)
            return found.pod
        others = [pod for pod in pods if connection.may_be_mine(pod) and pod.id not in agreed]
        if plan.limits.max_burn_usd_hr is not None:
            burning = find_burning(connection, journal, pods, self.notices.append)
            burning = [pod for pod in burning if pod.id not in agreed]
            hold_to_prices(connection, plan, burning, self.notices.append)
            others += burning
        check_limits(plan.limits, self._quote, plan.name, others)
        self._previous = journal.read()
        earlier_ids, accounts = (self._previous.ids, self._previous.accounts) if self._previous else ((), ())
        known = known_ids(connection, pods)
        if found.replaceable:
            # Nothing here can refuse the launch any more, so the old pod is not terminated for nothing.
            if plan.is_recorded and not journal.is_usable():
                raise failures.describe_unwritten(self._name)
            self._go_on("ending")
            self._end_replaced(found.replaceable)
        record = LaunchRecord(
            name=plan.name,
            team_id=team_of(connection, plan.spec),
            gpu_type=self._request.pod.gpu_type,
            gpu_count=self._request.pod.gpu_count,
            digest=plan.digest,
            known_ids=(*known, *earlier_ids),
            sent_at=connection.now(),
            noted_at_s=time.time(),
            accounts=tuple(dict.fromkeys((*digest_accounts(connection), *accounts))),
            earlier_ids=earlier_ids,
            agreed_usd_hr=plan.agreed_usd_hr,
            order=self._describe_order(),
        )
        if not journal.write(record) and plan.is_recorded:
            self._restore_record(journal)
            raise failures.describe_unwritten(self._name)
        try:
            pod = self._send_create(journal, record)
        except PodsError as error:
            if self.is_create_sent:
                is_unknown = error.may_be_billed or isinstance(error, PodFailed)
                self._note_create("create unknown" if is_unknown else "create refused", type(error).__name__)
            raise
        note_event(self._connection, "created", pod=pod)
        record = journal.read() or replace(record, pod_id=pod.id)
        # Before the first attempt to terminate it: if that fails, whatever reads it tries again.
        hold_pod(connection, journal, replace(record, pod_id=pod.id))
        self._enforce_price(journal, pod, record, others)
        with self._mutex:
            self._stage = "done"
        answered, pod = pod, self._poll_list(journal, pod, record, others)
        record = journal.read() or replace(record, pod_id=pod.id)
        self._notice_changes([answered, pod], record)
        if unread := describe_unread(pod, plan.agreed_usd_hr):
            self.notices.append(unread)
        if pod is not answered:
            # If it is ready at its price, what it costs from now on takes no work away.
            record = replace(record, is_seen=True, is_price_kept=is_kept(pod, plan.agreed_usd_hr))
        with self._mutex:
            journal.write(replace(record, is_delivered=not self._is_interrupted))
        return pod

    def _enforce_price(
        self, journal: LaunchJournal, pod: PodDetails, record: LaunchRecord, others: list[PodDetails]
    ) -> None:
        """Terminate the pod if it costs more than a ceiling allows or than was agreed to."""
        plan, doubts = self._plan, list_doubts(pod, record)
        try:
            terminate_if_over_limit(
                self._connection, pod, plan.spec, plan.limits, others, plan.agreed_usd_hr, doubts
            )
        except PodsError:
            # The service has acted on the pod by its id, so it need not be waited for to be seen.
            journal.write(replace(record, is_seen=True))
            if doubts:
                self._connection.agreements.release(pod.id)
            raise

    def _describe_order(self) -> Order:
        ordered = self._request.pod
        return Order(
            provider=self._request.provider.type,
            socket=ordered.socket,
            image=ordered.image,
            template_id=ordered.custom_template_id,
            disk_gb=ordered.disk_size,
            is_spot=bool(self._quote.offer.is_spot),
        )

    def _notice_changes(self, seen: list[PodDetails], record: LaunchRecord) -> None:
        """Report differences between the pod and the request."""
        changes = dict.fromkeys(change for pod in seen for change in list_changes(pod, record))
        if changes:
            pod = seen[-1]
            self.notices.append(
                f"The service changed what was requested: {'; '.join(changes)}. '{self._name}' is pod "
                f"{sanitize(pod.id)} and is billed. Running this again returns it; '%pods rm {pod.cli_name}' "
                "terminates it"
            )

    def _end_replaced(self, pods: tuple[PodDetails, ...]) -> None:
        """Terminate the pods to be replaced, and verify that they are gone."""
        old = f"The old '{self._name}' ({join_sanitized(pod.id for pod in pods)})"
        self._replaced = f"{old} may have been terminated before this"
        try:
            removals = terminate_pods(self._connection, pods, cause="replaced")
        except PodsError:
            self._replaced = ""
            raise
        self._replaced = f"{old} was terminated before this"
        for removal in removals:
            if removal.outcome != GONE:
                self._replaced = ""
                is_left = f"({sanitize(removal.id)}) is {removal.outcome}"
                raise LaunchRefused(f"The old '{self._name}' {is_left}. No new one was created")

    def _send_create(self, journal: LaunchJournal, record: LaunchRecord) -> PodDetails:
        # Raised after the block, or the handled error would stay attached with everything that was sent.
        failure: PodsError
        plan = self._plan
        try:
            self._go_on("creating")
            self.is_create_sent = True
            self._note_create("create sent")
            pod = self._connection.client.create_pod(self._request)
            if claim_pod(self._connection, journal, record, pod):
                return pod
            failure = OutcomeUnknown("the response names another pod")
        except PodsError as refused:
            failure = refused
        except Exception as error:  # noqa: BLE001 - whatever it is, a pod may exist
            failure = OutcomeUnknown(f"the create failed with {type(error).__name__}")
        if isinstance(failure, OutcomeUnknown):
            status, settle_s = failure.status_code, self._plan.settle_s
            if failures.is_refusal(status):
                settle_s = min(CAPACITY_SETTLE_S, settle_s)
            match = self._find_created(journal, record, settle_s)
            if match is None:
                raise failures.describe_not_created(plan, failure, settle_s)
            return match
        if isinstance(failure, OutOfStock):
            match = self._find_although_sold_out(journal, record, failure)
            if match is None:
                raise failures.describe_sold_out(self._connection, plan, self._quote, failure)
            return match
        if isinstance(failure, RateLimited):
            # Some services act on what they then call too much, so it is not sent again.
            settle_s = min(_RATE_LIMIT_SETTLE_S, plan.settle_s)
            match = self._find_created(journal, record, settle_s, is_refused=True)
            if match is not None:
                return match
            raise failure
        self._restore_record(journal)
        raise failure

    def _note_create(self, event: AuditEvent, detail: str = "") -> None:
        note_event(
            self._connection,
            event,
            name=self._plan.name,
            gpu=self._request.pod.gpu_type,
            gpu_count=self._request.pod.gpu_count,
            price_usd_hr=self._quote.price_usd_hr,
            detail=detail,
        )

    def _restore_record(self, journal: LaunchJournal) -> None:
        """Restore the record that this failed launch has overwritten."""
        if self._previous is None or not journal.write(self._previous):
            journal.clear()

    def _find_created(
        self, journal: LaunchJournal, record: LaunchRecord, settle_s: float, *, is_refused: bool = False
    ) -> PodDetails | None:
        outcome = find_created_pod(self._connection, journal, record, settle_s)
        if outcome.pods:
            return outcome.pods[0]
        # Once the time is over, one more poll is enough.
        journal.write(replace(record, is_search_over=is_refused or settle_s >= self._plan.settle_s))
        if outcome.ended_id:
            raise PodFailed(
                f"'{self._name}' ({sanitize(outcome.ended_id)}) was created and has already ended"
            )
        return None

    def _find_although_sold_out(
        self, journal: LaunchJournal, record: LaunchRecord, sold_out: OutOfStock
    ) -> PodDetails | None:
        if sold_out.status_code == 503:
            return self._find_created(
                journal, record, min(CAPACITY_SETTLE_S, self._plan.settle_s), is_refused=True
            )
        if sold_out.status_code is not None and sold_out.status_code >= 500:
            return self._find_created(journal, record, self._plan.settle_s)
        if sold_out.status_code == 409 and sold_out.detail in (None, "Conflict"):
            return self._find_created(journal, record, min(_CONFLICT_SETTLE_S, self._plan.settle_s))
        try:
            return self._find_created(journal, record, 0, is_refused=True)
        except OutcomeUnknown:
            # It is a refusal even if polling failed.
            journal.write(replace(record, is_search_over=True))
            return None

    def _poll_list(
        self, journal: LaunchJournal, pod: PodDetails, record: LaunchRecord, others: list[PodDetails]
    ) -> PodDetails:
        """Poll the list until it shows the pod, and return the pod with its price; report duplicates.

        Another computer may have launched the name at the same moment, which nothing can prevent.
        """
        clock, client = self._connection.clock, self._connection.client
        deadline = clock.monotonic() + min(TWINS_SETTLE_S, self._plan.settle_s)
        while True:
            try:
                pods = client.list_all_pods(budget_s=TWINS_BUDGET_S)
            except PodsError:
                return pod
            listed = find_listed(self._connection, pods, record, pod.id)
            # A list without the pod itself lags, and says nothing of others.
            if listed is not None or clock.monotonic() >= deadline:
                break
            clock.sleep(self._connection.interval_s())
        if listed is None:
            listed = self._find_under_another_id(journal, record)
        elif listed.id != pod.id:
            journal.write(replace(record, pod_id=listed.id))
        if listed is not None:
            record = journal.read() or record
            if listed.id != pod.id:
                hold_pod(self._connection, journal, replace(record, pod_id=listed.id))
            pod = listed
            self._enforce_price(journal, pod, record, others)
        self._notice_twins(pods, pod, record)
        return pod

    def _find_under_another_id(self, journal: LaunchJournal, record: LaunchRecord) -> PodDetails | None:
        """Find the pod if the id in the response is unknown to the service, such as an order's."""
        try:
            match = find_created_pod(self._connection, journal, record, 0, believes_absence=True).pods
        except PodsError:
            return None
        if match and match[0].id != record.pod_id:
            self.notices.append(
                f"The create's response names {sanitize(record.pod_id)}, which the service does not show. "
                f"'{self._name}' is taken to be your new pod {sanitize(match[0].id)}"
            )
        return match[0] if match else None

    def _notice_twins(self, pods: list[PodDetails], pod: PodDetails, record: LaunchRecord) -> None:
        known = {pod.id, *record.known_ids}
        named = named_pods(self._connection, pods, record.name, record.team_id)
        named += named_pods(self._connection, pods, pod.name or "", pod.team_id)
        twins = {sanitize(twin.id): None for twin in named if twin.id not in known}
        if twins:
            self.notices.append(failures.describe_twins(self._name, pod, twins))
