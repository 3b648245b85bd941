"""The launch flow: the form of the selected offer, its price and problems, the review, and the launch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import InvalidRequest, OutOfStock, PodFailed, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.notebook.input.variables import Variables
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.assess import assess
from primepods_magic.pods.launching.carry_out import carry_out
from primepods_magic.pods.launching.launch import plan_many
from primepods_magic.pods.launching.limits import Limits, limit_violation
from primepods_magic.pods.launching.recovery import SETTLE_S
from primepods_magic.pods.offers import Quote, quote
from primepods_magic.pods.spec.spec import PodSpec, parse_spec, spec_from_mapping

from .account import Account
from .cell import SecretVariables, format_body
from .form import Form, check_variable_name, find_problems, fit_form, resource_limits, spec_fields
from .offers import OfferKey, OfferList, PricedOffer
from .outcome import LaunchOutcome, failed_launch, successful_launch

if TYPE_CHECKING:
    from primepods_magic.pods.launching.plan import LaunchPlan
    from primepods_magic.pods.pod import Pod

    from .worker import SerialWorker

__all__ = ["FlowStage", "LaunchFlow", "LaunchSettings"]

_PRICE_TOLERANCE_USD_HR = 1e-9
PASSWORD = "JUPYTER_PASSWORD"  # noqa: S105 - the name of a variable


class FlowStage(Enum):
    """The stage of a launch."""

    FORM = "form"
    CHECKING = "checking"
    SUMMARY = "summary"
    LAUNCHING = "launching"


@dataclass(frozen=True)
class LaunchSettings:
    """Settings for every launch, as in ``%config PodsMagics``."""

    limits: Limits = field(default_factory=Limits)
    settle_s: float = SETTLE_S
    default_image: str = ""
    default_team: str = ""


class LaunchFlow:
    """One launch at a time, from a selected offer to a pod; call every method on the worker's thread.

    `form_changes` counts changes of the form that the user did not type. `problems` has messages by field, or
    by ``offer``, ``account``, ``price``, or ``spec``. `notices` has messages about the launch in progress.
    `spec` is the parsed form, and `body` is the form as the body of a cell.
    """

    def __init__(
        self,
        connection: Connection,
        worker: SerialWorker,
        namespace: dict[str, Any],
        settings: Callable[[], LaunchSettings],
        *,
        on_launched: Callable[[], object],
        on_sold_out: Callable[[], object],
    ) -> None:
        self._connection = connection
        self._worker = worker
        self._namespace = namespace
        self._settings = settings
        self._on_launched = on_launched
        self._on_sold_out = on_sold_out
        self._variables = self._reviewed_variables = Variables(namespace)
        self._is_offer_gone = False
        self._review_number = 0
        self.secrets = SecretVariables(namespace)
        self.selected: PricedOffer | None = None
        self.form = Form()
        self.form_changes = 0
        self.stage = FlowStage.FORM
        self.plan: LaunchPlan | None = None
        self.outcome: LaunchOutcome | None = None
        self.notices: tuple[str, ...] = ()
        self.draft_name = ""
        self.draft_problem = ""
        self.problems: dict[str, str] = {}
        self.name_hint = ""
        self.quote: Quote | None = None
        self.spec: PodSpec | None = None
        self.body = ""

    @property
    def default_team(self) -> str:
        """The team that is billed if none is selected; empty for the user's own wallet."""
        return self._settings().default_team or self._connection.settings.team_id or ""

    @property
    def may_review(self) -> bool:
        """Return whether the form has no known problems."""
        return self.stage is FlowStage.FORM and self.spec is not None and not self.problems

    @property
    def may_launch(self) -> bool:
        """Return whether the reviewed plan has no known problems."""
        return self.stage is FlowStage.SUMMARY and self.plan is not None and not self.problems

    def choose(self, selected: PricedOffer | None) -> None:
        """Select another offer, or none."""
        self.selected, self._is_offer_gone = selected, False
        self._fit_form()
        self._discard_result()

    def update_offer(self, offer_list: OfferList) -> None:
        """Replace the selected offer by its version in a newer list."""
        if self.selected is None:
            return
        before, newest = self.selected, offer_list.get(OfferKey.of(self.selected.offer))
        self._is_offer_gone = newest is None
        if newest is not None:
            self.selected = newest
        if newest != before:
            self._fit_form()
            self._drop_plan("The offer has changed. Review it again.")

    def set(self, **values: Any) -> None:
        """Change fields of the form by name, as the user entered them."""
        self.form = replace(self.form, **values)
        self._discard_result()

    def name_variable(self, name: str) -> None:
        """Name the environment variable that is being added."""
        self.draft_name = name = name.strip()
        self.draft_problem = (check_variable_name(name) or "Now enter its value.") if name else ""
        self._discard_result()

    def add_variable(self, value: str) -> None:
        """Add the variable, storing its value in the notebook; discard the value if the name is invalid."""
        name = self.draft_name
        problem = check_variable_name(name)
        if problem:
            self.draft_problem = f"{problem} Then enter its value again."
        else:
            self.set(env={**self.form.env, name: self.secrets.store(name, value)})
            self.draft_name = self.draft_problem = ""
            self.form_changes += 1
        self._discard_result()

    def remove_variable(self, name: str) -> None:
        """Remove an environment variable."""
        self.set(env={other: value for other, value in self.form.env.items() if other != name})

    def set_password(self, password: str) -> None:
        """Set the Jupyter password for new pods; existing pods keep theirs."""
        self.set(jupyter_password=self.secrets.store(PASSWORD, password))

    def remove_password(self) -> None:
        """Launch without a Jupyter password; its variable stays in the notebook."""
        self.set(jupyter_password="")

    def check(self, account: Account, pods: Iterable[PodDetails]) -> None:
        """Update the price, the cell, and all problems; `pods` are the user's, as last seen."""
        if self.selected is None:
            self.problems, self.name_hint, self.quote, self.spec, self.body = {}, "", None, None, ""
            return
        offer, form = self.selected.offer, replace(self.form, team=self.form.team or self.default_team)
        problems = {**find_problems(form, offer, account.disks), **self._find_blockers(account)}
        sizes = {key: getattr(form, key) for key in resource_limits(offer) if key not in problems}
        price = quote(offer, spec_from_mapping(sizes, needs_gpu=False))
        body = format_body(spec_fields(form, offer, price.price_usd_hr))
        # Parse the body as the cell does: launching here and running the cell must be the same.
        self._variables = Variables(self._namespace)
        spec, name_hint = None, ""
        try:
            spec = parse_spec(body, variable=self._variables, first_line=2)
        except InvalidRequest as error:
            problems = problems or {"spec": str(error)}
        if spec is not None and account.is_identified:
            more, name_hint = self._compare_with_pods(spec, price, list(pods))
            problems |= more
        # Assign together: other threads read them.
        self.problems, self.name_hint, self.quote = problems, name_hint, price
        self.spec, self.body = spec, body

    def review(self) -> None:
        """Plan the launch, and show the plan for review."""
        if not self.may_review or self.spec is None:
            return
        self.stage, self.outcome, self.notices = FlowStage.CHECKING, None, ()
        self._review_number += 1
        spec, settings, number = self.spec, self._settings(), self._review_number
        self._reviewed_variables = self._variables
        self._reviewed_variables.spare(spec.pod_name)

        def plan() -> LaunchPlan:
            (planned,) = plan_many(
                self._connection,
                [spec],
                limits=settings.limits,
                settle_s=settings.settle_s,
                tell=self._post_notice,
            )
            return planned

        self._worker.run_slow(plan, lambda done: self._finish_review(done, number))

    def cancel_review(self) -> None:
        """Return from the summary to the form."""
        if self.stage is FlowStage.SUMMARY:
            self._discard_result()

    def launch(self) -> None:
        """Launch the reviewed plan; a second call does nothing."""
        if not self.may_launch or self.plan is None:
            return
        # A ceiling may have been lowered since the review.
        self.stage, plan = FlowStage.LAUNCHING, replace(self.plan, limits=self._settings().limits)

        def rent() -> Pod:
            (pod,) = carry_out(self._connection, [plan], yes=True, tell=self._post_notice)
            return pod

        self._worker.run_slow(rent, self._finish_launch)

    def forget_pod(self, pod_id: str) -> None:
        """Discard the outcome that announces a pod, which is gone."""
        if self.outcome is not None and self.outcome.pod_id == pod_id:
            self.outcome = None

    def _fit_form(self) -> None:
        """Reset the values that the selected offer does not allow."""
        if self.selected is not None:
            image = self._settings().default_image
            self.form = fit_form(self.form, self.selected.offer, default_image=image)
            self.form_changes += 1

    def _discard_result(self) -> None:
        """Discard the plan and the last outcome: the form has changed."""
        self._drop_plan()
        if self.stage is FlowStage.FORM:
            self.notices = ()
            if self.outcome is not None and not self.outcome.may_be_billed:
                self.outcome = None

    def _drop_plan(self, reason: str = "") -> None:
        if self.stage in (FlowStage.CHECKING, FlowStage.SUMMARY):
            self.stage, self.plan = FlowStage.FORM, None
            self.notices = (reason,) if reason else ()

    def _post_notice(self, text: str) -> None:
        self._worker.submit(lambda: self._add_notice(text))

    def _add_notice(self, text: str) -> None:
        self.notices = tuple(dict.fromkeys([*self.notices, text]))

    def _finish_review(self, done: Future[LaunchPlan], number: int) -> None:
        if self.stage is not FlowStage.CHECKING or number != self._review_number:
            return
        error = done.exception()
        if error is not None:
            self._store_failure(error, was_sent=False)
            return
        plan, difference = done.result(), self._describe_difference(done.result())
        if difference:
            self._drop_plan(difference)
            self._on_sold_out()
        else:
            self.stage, self.plan = FlowStage.SUMMARY, plan

    def _describe_difference(self, plan: LaunchPlan) -> str:
        """Return how a plan differs from the selected offer, or an empty string."""
        if plan.quote is None or self.selected is None or self.quote is None:
            return ""
        offer = plan.quote.offer
        if OfferKey.of(offer) != OfferKey.of(self.selected.offer):
            kind = "a spot offer" if offer.is_spot else "an offer"
            return (
                f"Nothing was launched. The service cannot tell this offer from {kind} with the same ID at "
                f"{format_usd_hr(plan.quote.price_usd_hr)}. Choose that offer, or another one."
            )
        if abs(plan.quote.price_usd_hr - self.quote.price_usd_hr) < _PRICE_TOLERANCE_USD_HR:
            return ""
        return f"The price is {format_usd_hr(plan.quote.price_usd_hr)} now. Review it again."

    def _finish_launch(self, done: Future[Pod]) -> None:
        error = done.exception()
        if error is not None:
            self._store_failure(error, was_sent=True)
        else:
            self.stage, self.plan = FlowStage.FORM, None
            self.outcome = successful_launch(done.result())
        self._on_launched()

    def _store_failure(self, error: BaseException, *, was_sent: bool) -> None:
        self.stage, self.plan = FlowStage.FORM, None
        if isinstance(error, PodsError):
            self._reviewed_variables.hide_in(error)
        self.outcome = failed_launch(error, was_sent=was_sent)
        if isinstance(error, OutOfStock):
            self._on_sold_out()

    def _find_blockers(self, account: Account) -> dict[str, str]:
        """Return the problems that prevent any launch."""
        problems = {}
        if self._is_offer_gone:
            problems["offer"] = "This offer is no longer available. Choose another one."
        if self._connection.is_closed:
            problems["account"] = "The connection of this launcher was closed. Run the cell again."
        elif not account.may_launch:
            problems["account"] = "This key is read-only. It cannot launch or terminate pods."
        if self.draft_problem:
            problems["env"] = self.draft_problem
        return problems

    def _compare_with_pods(
        self, spec: PodSpec, price: Quote, pods: list[PodDetails]
    ) -> tuple[dict[str, str], str]:
        """Return conflicts with existing pods and ceilings, and a hint about the name."""
        found = assess(self._connection, pods, spec)
        if found.pod is not None:
            return {}, "You already have this pod. Launching returns it."
        problems = {}
        if found.refusal is not None:
            billed = " It may be billed until then." if isinstance(found.refusal, PodFailed) else ""
            problems["name"] = (
                f"{found.why.rstrip('.')}. Use another name, or terminate that pod below.{billed}"
            )
        others = [pod for pod in pods if self._connection.may_be_mine(pod)]
        violation = limit_violation(self._settings().limits, price, spec.pod_name, others)
        if violation:
            problems["price"] = violation
        return problems, ""
