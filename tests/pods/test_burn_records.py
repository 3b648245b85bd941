"""The ceiling for all pods counts those that lists leave out, and launches that were cut off."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from primepods_magic.api.errors import BudgetExceeded
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.lookup import hold_name
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.spec.spec import spec_from_mapping
from tests.pods.conftest import Changing, Through

LIMITS = Limits(max_burn_usd_hr=1)


def empty_list(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    is_list = request.method == "GET" and request.url.path == "/api/v1/pods/"
    return httpx.Response(200, json={"data": [], "total_count": 0}) if is_list else response


def rent(connection: Connection, name: str, **more: bool) -> str:
    return launch(gpu="L4_24GB", name=name, settle_s=0, limits=LIMITS, connection=connection, **more).id


@pytest.mark.parametrize("name", ["train", "eval"])
def test_a_pod_that_lists_leave_out_counts_also_under_its_own_name(
    connection: Connection, through: Through, name: str
) -> None:
    there = through(Changing(empty_list))
    rent(there, "train")
    with pytest.raises(BudgetExceeded, match=r"\$0\.69/h of your live pods"):
        rent(there, name, new=True)
    assert len(connection.client.list_all_pods()) == 1


def test_pods_of_earlier_launches_of_the_name_count(connection: Connection, through: Through) -> None:
    there = through(Changing(empty_list))
    launch(gpu="L4_24GB", name="train", settle_s=0, connection=there)
    with pytest.raises(BudgetExceeded):
        launch(gpu="L4_24GB", name="train", settle_s=0, new=True, limits=LIMITS, connection=there)
    launch(gpu="L4_24GB", name="train", settle_s=0, new=True, connection=there)
    with pytest.raises(BudgetExceeded, match=r"\$1\.38/h of your live pods"):
        rent(there, "eval")


def cut_off(connection: Connection, name: str) -> None:
    """Leave the record of a launch whose kernel was killed before the response to its create came."""
    with hold_name(connection, spec_from_mapping({"gpu": "L4_24GB", "name": name})) as note:
        record = note.read()
        assert record is not None
        note.write(replace(record, pod_id=None, is_delivered=False))


def test_a_launch_that_was_cut_off_counts_at_its_price_while_its_pod_may_turn_up(
    connection: Connection, through: Through
) -> None:
    there = through(Changing(empty_list))
    rent(there, "a")
    cut_off(there, "a")
    with pytest.raises(
        BudgetExceeded, match=r"\$0\.69/h of your live pods \(including 'a', whose launch was"
    ):
        rent(there, "b")
    assert len(connection.client.list_all_pods()) == 1


def test_a_launch_that_was_cut_off_counts_once_if_its_pod_is_listed(connection: Connection) -> None:
    rent(connection, "a")
    cut_off(connection, "a")
    launch(gpu="L4_24GB", name="b", limits=Limits(max_burn_usd_hr=1.5), connection=connection)
    assert len(connection.client.list_all_pods()) == 2
