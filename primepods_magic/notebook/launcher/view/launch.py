"""Launch: a summary with the price, then the button; and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipywidgets import Box

from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import safe_html, sanitize
from primepods_magic.notebook.launcher.state.order import FlowStage

from .static import team_name
from .widgets import WidgetFactory, card_html, set_visible, update_traits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel
    from primepods_magic.pods.launching.plan import LaunchPlan

__all__ = ["LaunchView"]


class LaunchView:
    """The part of the launcher in which money moves.

    Parameters
    ----------
    kit : Kit
        Makes the widgets.
    model : LauncherModel
        Is told what somebody does, and says what to show.
    """

    def __init__(self, kit: WidgetFactory, model: LauncherModel) -> None:
        self._model = model
        self._summary = kit.html()
        self._review = kit.button("Review", self._review_pressed, "primary")
        self._launch = kit.button("Launch", self._launch_pressed, "primary")
        self._back = kit.button("Back", lambda: model.do(model.order.back))
        self._outcome = kit.html()
        # Not in the place of the first button: a second click there must not rent anything.
        buttons = kit(Box, "row", children=(self._review, self._back, self._launch))
        self.box = kit(Box, "section", children=(self._summary, buttons, self._outcome))

    def _review_pressed(self) -> None:
        self._review.disabled = True
        self._model.review()

    def _launch_pressed(self) -> None:
        # At the first click, before anything else.
        self._launch.disabled = True
        self._model.launch()

    def render(self) -> None:
        """Show what the model says."""
        order = self._model.order
        stage, plan = order.stage, order.plan
        set_visible(self.box, order.listed is not None or order.outcome is not None)
        is_form = stage in (FlowStage.FORM, FlowStage.CHECKING)
        set_visible(self._review, is_form)
        set_visible(self._launch, not is_form)
        set_visible(self._back, stage is FlowStage.SUMMARY)
        update_traits(
            self._review,
            disabled=not order.may_review,
            description="Checking …" if stage is FlowStage.CHECKING else "Review and launch …",
        )
        update_traits(self._launch, disabled=not order.may_launch, description=_launch_words(stage, plan))
        # Last: who reads the price finds the buttons that belong to it.
        update_traits(self._summary, value=_summary_html(self._model, plan) if plan else "")
        update_traits(self._outcome, value=_outcome_html(self._model))


def _launch_words(stage: FlowStage, plan: LaunchPlan | None) -> str:
    if stage is FlowStage.LAUNCHING:
        return "Launching …"
    if plan is not None and plan.quote is not None:
        return f"Launch for {format_usd_hr(plan.quote.price_usd_hr)}"
    return "Take it"


def _summary_html(model: LauncherModel, plan: LaunchPlan) -> str:
    quote, name = plan.quote, safe_html(plan.name)
    if quote is None:
        said = f"<b>{name}</b> is there already and is just this. Nothing would be created or billed."
        return card_html(said, "warn")
    offer = quote.offer
    pod = plan.request.pod if plan.request else None
    billed = "nothing is billed: this is the sandbox" if model.connection.is_sandbox else "billed"
    price = safe_html(f"{format_usd_hr(quote.price_usd_hr)}, {format_usd(quote.price_usd_day)}/day")
    lines = [
        f"<b>{name}</b>: {safe_html(f'{offer.gpu_count} × {offer.gpu_type} at {quote.place}')}",
        f"<b>{price}</b> from the launch until it is ended ({billed})",
    ]
    if pod is not None and pod.image:
        lines.append(f"image {safe_html(pod.image)}")
    if quote.prepaid_hr:
        lines.append(
            safe_html(
                f"{quote.prepaid_hr:g} h, {format_usd(quote.prepaid_usd)}, are charged up front, used or not"
            )
        )
    if offer.is_spot:
        lines.append("spot: it may be reclaimed at any time")
    team_id = plan.request.team.team_id if plan.request and plan.request.team else None
    if team_id:
        lines.append(f"billed to team {safe_html(team_name(model, team_id))}")
    lines += [safe_html(sanitize(notice)) for notice in plan.notices]
    return card_html("<br>".join(lines))


def _outcome_html(model: LauncherModel) -> str:
    order = model.order
    told = "".join(f'<div class="primepods-hint">{safe_html(text)}</div>' for text in order.told)
    if order.outcome is None:
        return f'<div role="status">{told}</div>' if told else ""
    kind, role = ("bad", "alert") if order.outcome.is_failure else ("good", "status")
    lines = "<br>".join(safe_html(line) for line in order.outcome.text.splitlines())
    return card_html(lines + told, kind, role=role)
