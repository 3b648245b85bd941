"""From a chosen offer to a pod: the form, its price and problems, the summary, and the launch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import (
    BudgetExceeded,
    InvalidRequest,
    LaunchIncomplete,
    OutcomeUnknown,
    OutOfStock,
    PodFailed,
    PodsError,
    WaitInterrupted,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text import clean
from primepods_magic.notebook.variables import Variables
from primepods_magic.pods.connection import Connection
from primepods_magic.pods.guards import Limits, refuse_above
from primepods_magic.pods.identity import standing
from primepods_magic.pods.launch_many import carry_out_many, plan_many
from primepods_magic.pods.offers import Quote, quote
from primepods_magic.pods.resolve import SETTLE_S
from primepods_magic.pods.spec import PodSpec, parse_spec

from .account import Account
from .cell import SecretVariables, body_of
from .form import Form, fitted, problems_of, spec_fields, variable_problem
from .market import Listed, Market, OfferKey

if TYPE_CHECKING:
    from primepods_magic.pods.handle import Pod
    from primepods_magic.pods.plan import LaunchPlan

    from .desk import Desk

__all__ = ["LaunchSettings", "Order", "Outcome", "Stage"]

PASSWORD = "JUPYTER_PASSWORD"  # noqa: S105 - the name of a variable

# What these say of a pod and its bill is exact; after all others nothing was created.
_SAYS_WHAT_IS_BILLED = (BudgetExceeded, LaunchIncomplete, OutcomeUnknown, PodFailed, WaitInterrupted)


class Stage(Enum):
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


@dataclass(frozen=True)
class Outcome:
    """What came of the last attempt, in words."""

    text: str
    is_failure: bool = False


class Order:
    """One order at a time. Every method belongs to the thread of the desk.

    Parameters
    ----------
    connection : Connection
        Where.
    desk : Desk
        Does the slow work.
    namespace : dict
        The notebook's variables.
    settings : LaunchSettings
        What holds for every launch.
    on_launched, on_sold_out : callable
        Are called when there is a pod, and when the offer is gone.

    Attributes
    ----------
    listed : Listed, optional
        The chosen offer.
    form : Form
        What was typed and chosen.
    form_changes : int
        Counts the changes of the form that nobody typed.
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
        desk: Desk,
        namespace: dict[str, Any],
        settings: LaunchSettings,
        *,
        on_launched: Callable[[Pod], object],
        on_sold_out: Callable[[], object],
    ) -> None:
        self._connection = connection
        self._desk = desk
        self._namespace = namespace
        self._secrets = SecretVariables(namespace)
        self._settings = settings
        self._on_launched = on_launched
        self._on_sold_out = on_sold_out
        self._variables = Variables(namespace)
        self._is_gone = False
        self._draft_value = ""
        self.listed: Listed | None = None
        self.form = Form(team=settings.default_team)
        self.form_changes = 0
        self.stage = Stage.FORM
        self.plan: LaunchPlan | None = None
        self.outcome: Outcome | None = None
        self.told: tuple[str, ...] = ()
        self.draft_name = ""
        self.problems: dict[str, str] = {}
        self.note = ""
        self.quote: Quote | None = None
        self.spec: PodSpec | None = None
        self.body = ""

    @property
    def may_review(self) -> bool:
        """Nothing stands in the way of a launch, as far as can be told here."""
        return self.stage is Stage.FORM and self.spec is not None and not self.problems

    def choose(self, listed: Listed | None) -> None:
        """Take another offer."""
        self.listed, self._is_gone = listed, False
        if listed is not None:
            image = self._settings.default_image
            self.form = fitted(self.form, listed.offer, default_image=image)
            if not self.form.jupyter_password:
                self.generate_password()
        self._begin_anew()
        self.form_changes += 1

    def follow(self, market: Market) -> None:
        """Take the chosen offer as it is in a newer list."""
        if self.listed is None:
            return
        newest = market.get(OfferKey.of(self.listed.offer))
        self._is_gone = newest is None
        if newest is not None and newest != self.listed:
            self.listed = newest
            if self.stage is Stage.SUMMARY:
                self._begin_anew()

    def set(self, **values: Any) -> None:
        """Change fields of the form, as somebody typed or chose them."""
        self.form = replace(self.form, **values)
        self._begin_anew()

    def name_variable(self, name: str) -> None:
        """Give the environment variable that is being added a name."""
        self.draft_name = name.strip()
        self._begin_anew()

    def give_value(self, value: str) -> None:
        """Give it its value, which is kept here and nowhere shown."""
        self._draft_value = value
        self.add_variable()

    def add_variable(self) -> None:
        """Add the environment variable, where its name and value are given."""
        name = self.draft_name
        if self._draft_value and not variable_problem(name):
            said = self._secrets.keep(name, self._draft_value)
            self.remove_variable(name, but=said)
            self.form = replace(self.form, env={**self.form.env, name: said})
            self.draft_name = self._draft_value = ""
            self.form_changes += 1
        self._begin_anew()

    @property
    def draft_problem(self) -> str:
        """What is missing to add the variable; empty while none is being added."""
        if not self.draft_name and not self._draft_value:
            return ""
        return variable_problem(self.draft_name) or ("" if self._draft_value else "now its value")

    def remove_variable(self, name: str, *, but: str = "") -> None:
        """Take an environment variable out again."""
        env = dict(self.form.env)
        said = env.pop(name, "")
        if said and said != but:
            self._secrets.forget(said)
        self.form = replace(self.form, env=env)
        self._begin_anew()

    def set_password(self, password: str) -> None:
        """Take a Jupyter password of one's own."""
        self._secrets.forget(self.form.jupyter_password)
        self.set(jupyter_password=self._secrets.keep(PASSWORD, password))

    def generate_password(self) -> None:
        """Take a generated Jupyter password, the same for all pods of this notebook."""
        self.set(jupyter_password=self._secrets.generate(PASSWORD))

    def check(self, account: Account, is_account_known: bool, pods: Iterable[PodDetails]) -> None:
        """Work out the price, the cell, and everything that is wrong.

        Parameters
        ----------
        account : Account
            What the account has.
        is_account_known : bool
            Whether it has been asked.
        pods : iterable of PodDetails
            My pods, as last seen.
        """
        self.problems, self.note, self.quote, self.spec, self.body = {}, "", None, None, ""
        if self.listed is None:
            return
        offer, form = self.listed.offer, self.form
        self.problems = problems_of(form, offer, account.disks)
        if self._is_gone:
            self.problems["offer"] = "this offer has gone since; choose another one"
        if not account.may_launch:
            self.problems["account"] = "this key may only read: it can neither rent nor end pods"
        if self.draft_problem:
            self.problems["env"] = self.draft_problem
        sizes = PodSpec(disk_size=form.disk_gb, vcpus=form.vcpus, memory=form.memory_gb)
        self.quote = quote(offer, sizes)
        self.body = body_of(spec_fields(form, offer, self.quote.price_usd_hr))
        # The cell's own way: launching here and running it are the same.
        self._variables = Variables(self._namespace)
        try:
            self.spec = parse_spec(self.body, variable=self._variables, first_line=2)
        except InvalidRequest as error:
            self.problems.setdefault("spec", str(error))
            return
        if is_account_known:
            self._compare(self.spec, list(pods))

    def review(self) -> None:
        """Find out what a launch would do, and show it."""
        if not self.may_review or self.spec is None:
            return
        self.stage, self.outcome, self.told = Stage.CHECKING, None, ()
        spec, settings = self.spec, self._settings
        self._variables.spare(spec.pod_name)

        def plan() -> LaunchPlan:
            (found,) = plan_many(
                self._connection,
                [spec],
                limits=settings.limits,
                settle_s=settings.settle_s,
                tell=self._tell,
            )
            return found

        self._desk.send(plan, lambda done: self._planned(done, spec))

    def back(self) -> None:
        """Do not launch it after all."""
        if self.stage is Stage.SUMMARY:
            self._begin_anew()

    def forget_outcome(self) -> None:
        """What came of the last launch is not true any more."""
        self.outcome = None

    def launch(self) -> None:
        """Carry out what the summary says; a second call does nothing."""
        if self.stage is not Stage.SUMMARY or self.plan is None:
            return
        self.stage, plan = Stage.LAUNCHING, self.plan

        def carry_out() -> Pod:
            (pod,) = carry_out_many(self._connection, [plan], yes=True, tell=self._tell)
            return pod

        self._desk.send(carry_out, lambda done: self._launched(done, plan))

    def _begin_anew(self) -> None:
        """What was planned was planned for another form."""
        if self.stage in (Stage.CHECKING, Stage.SUMMARY):
            self.stage, self.plan = Stage.FORM, None
        if self.stage is Stage.FORM:
            self.outcome, self.told = None, ()

    def _tell(self, text: str) -> None:
        self._desk.put(lambda: self._hear(text))

    def _hear(self, text: str) -> None:
        self.told = tuple(dict.fromkeys([*self.told, text]))

    def _planned(self, done: Future[LaunchPlan], spec: PodSpec) -> None:
        if self.stage is not Stage.CHECKING or spec != self.spec:
            return
        error = done.exception()
        if error is not None:
            self._failed(error)
            return
        self.stage, self.plan = Stage.SUMMARY, done.result()

    def _launched(self, done: Future[Pod], plan: LaunchPlan) -> None:
        error = done.exception()
        if error is not None:
            self._failed(error)
            return
        pod = done.result()
        self.stage, self.plan = Stage.FORM, None
        name = clean(pod.name)
        if plan.existing is not None:
            self.outcome = Outcome(f"'{name}' is there already; nothing was created")
        else:
            price = "" if pod.price_usd_hr is None else f" and costs ${pod.price_usd_hr:.2f}/h from now on"
            self.outcome = Outcome(f"'{name}' is rented{price}; it is below, among your pods")
        self._on_launched(pod)

    def _failed(self, error: BaseException) -> None:
        self.stage, self.plan = Stage.FORM, None
        if isinstance(error, PodsError):
            self._variables.hide_in(error)
        # What others say of their errors may repeat what was sent.
        text = str(error) if isinstance(error, PodsError) else f"{type(error).__name__} broke it off"
        if isinstance(error, PodsError) and not isinstance(error, _SAYS_WHAT_IS_BILLED):
            created = "" if "created" in text else "Nothing was created. "
            text = f"{text.rstrip('.')}. {created}Nothing is billed for it."
        self.outcome = Outcome(text, is_failure=True)
        if isinstance(error, OutOfStock):
            self._on_sold_out()

    def _compare(self, spec: PodSpec, pods: list[PodDetails]) -> None:
        """With the pods that there are, and with the ceilings."""
        found = standing(self._connection, pods, spec)
        if found.pod is not None:
            self.note = "you have this very pod: launching answers with it"
        elif found.refusal is not None:
            # What it says of cells is no help here.
            said = str(found.refusal).partition("; nothing was created")[0]
            billed = " It may be billed until then." if isinstance(found.refusal, PodFailed) else ""
            self.problems["name"] = f"{said}; use another name, or terminate that one below.{billed}"
        if self.quote is None or found.pod is not None:
            return
        try:
            others = [pod for pod in pods if self._connection.may_be_mine(pod)]
            refuse_above(self._settings.limits, self.quote, spec.pod_name, others)
        except BudgetExceeded as error:
            self.problems["price"] = str(error).replace("; nothing was created", "")
