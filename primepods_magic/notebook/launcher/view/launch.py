"""The review with the price, the launch button, and the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipywidgets import Box

from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import safe_html, sanitize
from primepods_magic.notebook.launcher.state.flow import FlowStage

from .static import team_name
from .widgets import WidgetFactory, card_html, set_visible, update_traits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel
    from primepods_magic.pods.launching.plan import LaunchPlan

__all__ = ["LaunchView"]


class LaunchView:
    """The section that reviews and launches the pod."""

    def __init__(self, widgets: WidgetFactory, model: LauncherModel) -> None:
        self._model = model
        self._summary = widgets.html()
        self._review = widgets.button("Review", self._start_review, "primary")
        self._launch = widgets.button("Launch", self._start_launch, "primary")
        self._back = widgets.button("Back", lambda: model.do(model.flow.cancel_review))
        self._outcome = widgets.html()
        # The launch button does not replace the review button: a double click there must not rent anything.
        buttons = widgets(Box, "row", children=(self._review, self._back, self._launch))
        self.box = widgets(Box, "section", children=(self._summary, buttons, self._outcome))

    def _start_review(self) -> None:
        self._review.disabled = True
        self._model.review()

    def _start_launch(self) -> None:
        # Disable it first: a second click must not arrive before that.
        self._launch.disabled = True
        self._model.launch()

    def render(self) -> None:
        """Show the state of the model."""
        flow = self._model.flow
        stage, plan = flow.stage, flow.plan
        set_visible(self.box, flow.selected is not None or flow.outcome is not None)
        is_form = stage in (FlowStage.FORM, FlowStage.CHECKING)
        set_visible(self._review, is_form)
        set_visible(self._launch, not is_form)
        set_visible(self._back, stage is FlowStage.SUMMARY)
        update_traits(
            self._review,
            disabled=not flow.may_review,
            description="Checking …" if stage is FlowStage.CHECKING else "Review and launch …",
        )
        update_traits(self._launch, disabled=not flow.may_launch, description=_format_caption(stage, plan))
        # Last, so that the price never appears before its buttons.
        update_traits(self._summary, value=_format_summary(self._model, plan) if plan else "")
        update_traits(self._outcome, value=_format_outcome(self._model))


def _format_caption(stage: FlowStage, plan: LaunchPlan | None) -> str:
    if stage is FlowStage.LAUNCHING:
        return "Launching …"
    if plan is not None and plan.quote is not None:
        return f"Launch for {format_usd_hr(plan.quote.price_usd_hr)}"
    return "Use this pod"


def _format_summary(model: LauncherModel, plan: LaunchPlan) -> str:
    quote, name = plan.quote, safe_html(plan.name)
    if quote is None:
        text = f"<b>{name}</b> already exists with these settings. Launching creates no pod and adds no cost."
        return card_html(text, "warn")
    offer = quote.offer
    pod = plan.request.pod if plan.request else None
    price = safe_html(f"{format_usd_hr(quote.price_usd_hr)}, {format_usd(quote.price_usd_day)}/day")
    period = f"from launch until you terminate it{', or it ends by itself' if plan.guard else ''}"
    billed = f" {period} (sandbox: nothing is billed)"
    if not model.connection.is_sandbox:
        billed = f", billed {period}"
    lines = [
        f"<b>{name}</b>: {safe_html(f'{offer.gpu_count} × {offer.gpu_type} at {quote.place}')}",
        f"<b>{price}</b>{billed}",
    ]
    if pod is not None and pod.image:
        lines.append(f"Image: {safe_html(pod.image)}")
    if pod is not None and pod.disk_size:
        lines.append(f"Disk: {pod.disk_size:,} GB")
    if plan.guard is not None:
        lines.append(safe_html(f"Ends by itself {plan.guard.describe()}, while this computer is on"))
    if quote.prepaid_hr:
        prepaid = (
            f"{format_usd(quote.prepaid_usd)} for {quote.prepaid_hr:g} h is charged up front, used or not"
        )
        lines.append(safe_html(prepaid))
    if offer.is_spot:
        lines.append("Spot: it can be reclaimed at any time")
    team_id = plan.request.team.team_id if plan.request and plan.request.team else None
    if team_id:
        lines.append(f"Billed to team {safe_html(team_name(model, team_id))}")
    lines += [safe_html(sanitize(notice)) for notice in plan.notices]
    return card_html("<br>".join(lines))


def _format_outcome(model: LauncherModel) -> str:
    flow = model.flow
    notices = "".join(f'<div class="primepods-hint">{safe_html(text)}</div>' for text in flow.notices)
    if flow.outcome is None:
        return f'<div role="status">{notices}</div>' if notices else ""
    kind, role = ("bad", "alert") if flow.outcome.is_failure else ("good", "status")
    lines = "<br>".join(safe_html(line) for line in flow.outcome.text.splitlines())
    return card_html(lines + notices, kind, role=role)
