"""The name of a pod among my live pods in one account and team."""

from __future__ import annotations

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.find import same_name
from primepods_magic.pods.spec.spec import PodSpec

from .differences import is_billed_to

__all__ = ["name_scope", "named_pods", "shares_by_default", "team_of"]


def team_of(connection: Connection, spec: PodSpec) -> str | None:
    """Return the team that is billed: the spec's, else the settings'."""
    return spec.team or connection.settings.team_id


def shares_by_default(connection: Connection, spec: PodSpec) -> bool:
    """Return whether only the settings say that a pod is shared with its team."""
    is_open = spec.shared_with_team is None and spec.team_member_ids is None
    return is_open and connection.settings.shares_with_team and team_of(connection, spec) is not None


def name_scope(connection: Connection, spec: PodSpec) -> str:
    """Return the scope of a name: the service, the user, and the team that is billed."""
    return f"{connection.account}\n{team_of(connection, spec)}"


def named_pods(
    connection: Connection, pods: list[PodDetails], name: str, team_id: str | None
) -> list[PodDetails]:
    """Return the live pods of a name and team that are mine, or may be."""
    return [pod for pod in same_name(connection, pods, name) if is_billed_to(pod, team_id)]
