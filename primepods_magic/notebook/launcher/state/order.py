"""From a chosen offer to a pod: the form, its price and problems, the summary, and the launch."""

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
from primepods_magic.pods.launching.launch_many import carry_out_many, plan_many
from primepods_magic.pods.launching.limits import Limits, limit_violation
from primepods_magic.pods.launching.naming import check_name
from primepods_magic.pods.launching.recovery import SETTLE_S
from primepods_magic.pods.offers import Quote, quote
from primepods_magic.pods.spec.spec import PodSpec, parse_spec

from .account import Account
from .cell import SecretVariables, body_of
from .form import SIZES, Form, fitted, problems_of, spec_fields, variable_problem
from .offers import OfferKey, OfferList, PricedOffer
from .outcome import LaunchOutcome, failure, success

if TYPE_CHECKING:
    from primepods_magic.pods.launching.plan import LaunchPlan
    from primepods_magic.pods.pod import Pod

    from .worker import SerialWorker

__all__ = ["FlowStage", "LaunchFlow", "LaunchSettings"]

_SAME_USD_HR = 1e-9
PASSWORD = "JUPYTER_PASSWORD"  # noqa: S105 - the name of a variable


class FlowStage(Enum):
    """How far a launch is."""

    FORM = "form"
    CHECKING = "checking"
    SUMMARY = "summary"
    LAUNCHING = "launching"


@dataclass(frozen=True)
class LaunchSettings:
    """What holds for every launch, as ``%config PodsMagics`` has it."""

    limits: Limits = field(default_factory=Limits)
    settle_s: float = SETTLE_S
    default_image: str = ""
    default_team: str = ""


class LaunchFlow:
    """One order at a time. Every method belongs to the thread of the desk.

    Parameters
    ----------
    connection : Connection
        Where.
    desk : Desk
        Does the slow work.
    namespace : dict
        The notebook's variables.
    settings : callable
        Tells what holds for every launch, now.
    on_launched, on_sold_out : callable
        Are called when there is a pod, and when the offer is gone.

    Attributes
    ----------
    listed : Listed, optional
        The chosen offer.
    form : Form
        What was typed and chosen.
    form_changes : int
        Counts the changes of image, sizes and variables that nobody typed.
    stage : Stage
        How far the launch is.
    plan : LaunchPlan, optional
        What the summary says.
    outcome : Outcome, optional
        What came of the last attempt.
    told : tuple of str
        What a person should know meanwhile.
    problems : dict of str to str
        What is wrong, by the field, or by ``offer``, ``account``, ``price`` or ``spec``.
    note : str
        What there is to know about the name.
    quote : Quote, optional
        What it costs.
    spec, body : PodSpec and str
        What the form asks for, and that as the body of a cell.
    """

    def __init__(
        self,
        connection: Connection,
        desk: SerialWorker,
        namespace: dict[str, Any],
        settings: Callable[[], LaunchSettings],
        *,
        on_launched: Callable[[], object],
        on_sold_out: Callable[[], object],
    ) -> None:
        self._connection = connection
        self._desk = desk
        self._namespace = namespace
        self._settings = settings
        self._on_launched = on_launched
        self._on_sold_out = on_sold_out
        self._variables = self._reviewed_variables = Variables(namespace)
        self._is_gone = False
        self._review_number = 0
        self._has_generated = True
        self.secrets = SecretVariables(namespace)
        self.listed: PricedOffer | None = None
        self.form = Form(jupyter_password=self.secrets.generate(PASSWORD))
        self.form_changes = 0
        self.stage = FlowStage.FORM
        self.plan: LaunchPlan | None = None
        self.outcome: LaunchOutcome | None = None
        self.told: tuple[str, ...] = ()
        self.draft_name = ""
        self.draft_problem = ""
        self.problems: dict[str, str] = {}
        self.note = ""
        self.quote: Quote | None = None
        self.spec: PodSpec | None = None
        self.body = ""

    @property
    def default_team(self) -> str:
        """The team that is billed where none is chosen; my own wallet is where there is none."""
        return self._settings().default_team or self._connection.settings.team_id or ""

    @property
    def may_review(self) -> bool:
        """Nothing stands in the way of a launch, as far as can be told here."""
        return self.stage is FlowStage.FORM and self.spec is not None and not self.problems

    @property
    def may_launch(self) -> bool:
        """What the summary says can be carried out, as far as can be told here."""
        return self.stage is FlowStage.SUMMARY and self.plan is not None and not self.problems

    def choose(self, listed: PricedOffer | None) -> None:
        """Take another offer."""
        self.listed, self._is_gone = listed, False
        self._fit()
        self._begin_anew()

    def follow(self, market: OfferList) -> None:
        """Take the chosen offer as it is in a newer list."""
        if self.listed is None:
            return
        before, newest = self.listed, market.get(OfferKey.of(self.listed.offer))
        self._is_gone = newest is None
        if newest is not None:
            self.listed = newest
        if newest != before:
            self._fit()
            self._drop_plan("the offer has changed meanwhile; review it again")

    def set(self, **values: Any) -> None:
        """Change fields of the form, as somebody typed or chose them."""
        self.form = replace(self.form, **values)
        self._begin_anew()

    def name_variable(self, name: str) -> None:
        """Give the environment variable that is being added a name."""
        self.draft_name = name.strip()
        self.draft_problem = (variable_problem(name.strip()) or "now its value") if name.strip() else ""
        self._begin_anew()

    def give_value(self, value: str) -> None:
        """Add the environment variable with this value, which is kept as a variable of the notebook. Where
        the name does not do, the value is forgotten at once."""
        name = self.draft_name
        wrong = variable_problem(name)
        if wrong:
            self.draft_problem = f"{wrong}; then type its value again"
        else:
            self.set(env={**self.form.env, name: self.secrets.keep(name, value)})
            self.draft_name = self.draft_problem = ""
            self.form_changes += 1
        self._begin_anew()

    def remove_variable(self, name: str) -> None:
        """Take an environment variable out again."""
        self.set(env={other: value for other, value in self.form.env.items() if other != name})

    def set_password(self, password: str) -> None:
        """Take a Jupyter password of one's own; pods that have another one keep it."""
        self._has_generated = False
        self.set(jupyter_password=self.secrets.keep(PASSWORD, password))

    def check(self, account: Account, pods: Iterable[PodDetails]) -> None:
        """Work out the price, the cell, and everything that is wrong.

        Parameters
        ----------
        account : Account
            What the account has.
        pods : iterable of PodDetails
            My pods, as last seen.
        """
        if self._has_generated:
            # There again where somebody has cleared the notebook's variables.
            self.form = replace(self.form, jupyter_password=self.secrets.generate(PASSWORD))
        if self.listed is None:
            self.problems, self.note, self.quote, self.spec, self.body = {}, "", None, None, ""
            return
        offer, form = self.listed.offer, replace(self.form, team=self.form.team or self.default_team)
        problems = {**problems_of(form, offer, account.disks), **self._hindrances(account)}
        sizes = {name: getattr(form, SIZES[name]) for name in SIZES if SIZES[name] not in problems}
        price = quote(
            offer,
            PodSpec(disk_size=sizes.get("disk"), vcpus=sizes.get("vcpus"), memory=sizes.get("memory")),
        )
        body = body_of(spec_fields(form, offer, price.price_usd_hr))
        # The cell's own way: launching here and running it are the same.
        self._variables = Variables(self._namespace)
        spec, note = None, ""
        try:
            spec = parse_spec(body, variable=self._variables, first_line=2)
        except InvalidRequest as error:
            problems = problems or {"spec": str(error)}
        if spec is not None and account.is_identified:
            told, note = self._compared(spec, price, list(pods))
            problems |= told
        # At once, for others read them.
        self.problems, self.note, self.quote, self.spec, self.body = problems, note, price, spec, body

    def review(self) -> None:
        """Find out what a launch would do, and show it."""
        if not self.may_review or self.spec is None:
            return
        self.stage, self.outcome, self.told = FlowStage.CHECKING, None, ()
        self._review_number += 1
        spec, settings, number = self.spec, self._settings(), self._review_number
        self._reviewed_variables = self._variables
        self._reviewed_variables.spare(spec.pod_name)

        def plan() -> LaunchPlan:
            (found,) = plan_many(
                self._connection,
                [spec],
                limits=settings.limits,
                settle_s=settings.settle_s,
                tell=self._tell,
            )
            return found

        self._desk.send(plan, lambda done: self._planned(done, number))

    def back(self) -> None:
        """Do not launch it after all."""
        if self.stage is FlowStage.SUMMARY:
            self._begin_anew()

    def launch(self) -> None:
        """Carry out what the summary says; a second call does nothing."""
        if not self.may_launch or self.plan is None:
            return
        # A ceiling may have been lowered since.
        self.stage, plan = FlowStage.LAUNCHING, replace(self.plan, limits=self._settings().limits)

        def carry_out() -> Pod:
            (pod,) = carry_out_many(self._connection, [plan], yes=True, tell=self._tell)
            return pod

        self._desk.send(carry_out, self._launched)

    def ended(self, pod_id: str) -> None:
        """A pod is gone: that it was rented is not true any more."""
        if self.outcome is not None and self.outcome.pod_id == pod_id:
            self.outcome = None

    def _fit(self) -> None:
        """What the offer cannot be goes back to what it comes with."""
        if self.listed is not None:
            image = self._settings().default_image
            self.form = fitted(self.form, self.listed.offer, default_image=image)
            self.form_changes += 1

    def _begin_anew(self) -> None:
        """What was planned was planned for another form, and what came of the last one is read by now."""
        self._drop_plan()
        if self.stage is FlowStage.FORM:
            self.told = ()
            if self.outcome is not None and not self.outcome.may_be_billed:
                self.outcome = None

    def _drop_plan(self, why: str = "") -> None:
        if self.stage in (FlowStage.CHECKING, FlowStage.SUMMARY):
            self.stage, self.plan = FlowStage.FORM, None
            self.told = (why,) if why else ()

    def _tell(self, text: str) -> None:
        self._desk.put(lambda: self._hear(text))

    def _hear(self, text: str) -> None:
        self.told = tuple(dict.fromkeys([*self.told, text]))

    def _planned(self, done: Future[LaunchPlan], number: int) -> None:
        if self.stage is not FlowStage.CHECKING or number != self._review_number:
            return
        error = done.exception()
        if error is not None:
            self._failed(error, was_sent=False)
            return
        plan, why = done.result(), self._unlike(done.result())
        if why:
            self._drop_plan(why)
            self._on_sold_out()
        else:
            self.stage, self.plan = FlowStage.SUMMARY, plan

    def _unlike(self, plan: LaunchPlan) -> str:
        """How what would be rented differs from what was chosen; empty where it does not."""
        if plan.quote is None or self.listed is None or self.quote is None:
            return ""
        offer = plan.quote.offer
        if OfferKey.of(offer) != OfferKey.of(self.listed.offer):
            kind = "a spot offer" if offer.is_spot else "an offer"
            return (
                f"nothing was launched: the service cannot tell this offer from {kind} of the same id at "
                f"{format_usd_hr(plan.quote.price_usd_hr)}; choose that one, or another"
            )
        if abs(plan.quote.price_usd_hr - self.quote.price_usd_hr) < _SAME_USD_HR:
            return ""
        return f"the price is {format_usd_hr(plan.quote.price_usd_hr)} by now; review it again"

    def _launched(self, done: Future[Pod]) -> None:
        error = done.exception()
        if error is not None:
            self._failed(error, was_sent=True)
        else:
            self.stage, self.plan = FlowStage.FORM, None
            self.outcome = success(done.result())
        self._on_launched()

    def _failed(self, error: BaseException, *, was_sent: bool) -> None:
        self.stage, self.plan = FlowStage.FORM, None
        if isinstance(error, PodsError):
            self._reviewed_variables.hide_in(error)
        self.outcome = failure(error, was_sent=was_sent)
        if isinstance(error, OutOfStock):
            self._on_sold_out()

    def _hindrances(self, account: Account) -> dict[str, str]:
        """What stands in the way of any launch."""
        problems = {}
        if self._is_gone:
            problems["offer"] = "this offer has gone since; choose another one"
        if self._connection.is_closed:
            problems["account"] = "this belongs to a connection that was closed; run the cell again"
        elif not account.may_launch:
            problems["account"] = "this key may only read: it can neither rent nor end pods"
        if self.draft_problem:
            problems["env"] = self.draft_problem
        return problems

    def _compared(self, spec: PodSpec, price: Quote, pods: list[PodDetails]) -> tuple[dict[str, str], str]:
        """What is wrong beside the pods that there are and under the ceilings; and what there is to know."""
        found = check_name(self._connection, pods, spec)
        if found.pod is not None:
            return {}, "you have this very pod: launching answers with it"
        problems = {}
        if found.refusal is not None:
            billed = " It may be billed until then." if isinstance(found.refusal, PodFailed) else ""
            problems["name"] = f"{found.why}; use another name, or terminate that one below.{billed}"
        others = [pod for pod in pods if self._connection.may_be_mine(pod)]
        above = limit_violation(self._settings().limits, price, spec.pod_name, others)
        if above:
            problems["price"] = above
        return problems, ""
