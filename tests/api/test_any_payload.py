"""Whatever the service answers and whatever a user writes: a value of ours, or an error of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from primepods_magic.api.answers import read_error, read_logs, read_model, read_page, read_status
from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import HistoryRow, Offer, PodDetails, PodStatusEntry
from primepods_magic.api.tolerant import Answer
from primepods_magic.frames import history_frame, offers_frame, pods_frame, status_frame
from primepods_magic.pods.spec import parse_spec

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["ACTIVE", "FINISHED", "root@203.0.113.9 -p 22", "2026-09-14T08:00:00Z", "1e400", "128"]
    )
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)

# Flat, for there are thirty of them in one answer.
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


def shaped(model: type[Answer]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the model's own keys, some missing, with any values."""
    keys = [field.alias or to_camel(name) for name, field in model.model_fields.items()]
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, VALUES))


def survives(read: Callable[[], Any]) -> Any:
    with contextlib.suppress(PodsError):
        return read()
    return None


@given(shaped(PodDetails))
def test_any_pod_is_read_and_can_be_shown(payload: dict[str, Any]) -> None:
    pod = survives(lambda: read_model(PodDetails, payload))
    if pod is not None:
        assert pod.is_settled in (True, False)
        assert isinstance(pod.word, str)
        assert len(pods_frame([pod])) == 1


@given(shaped(PodDetails), shaped(PodStatusEntry))
def test_any_status_updates_any_pod(first: dict[str, Any], later: dict[str, Any]) -> None:
    pod = survives(lambda: read_model(PodDetails, first))
    entry = survives(lambda: read_model(PodStatusEntry, later))
    if pod is not None and entry is not None:
        assert len(pods_frame([pod.updated(entry)])) == len(status_frame([entry])) == 1


@given(shaped(Offer))
def test_any_offer_is_read_and_can_be_shown(payload: dict[str, Any]) -> None:
    offer = survives(lambda: read_model(Offer, payload))
    if offer is not None:
        assert len(offers_frame([offer])) == 1


@given(shaped(HistoryRow))
def test_any_row_of_history_is_read_and_can_be_shown(payload: dict[str, Any]) -> None:
    row = survives(lambda: read_model(HistoryRow, payload))
    if row is not None:
        assert len(history_frame([row])) == 1


@given(JSON)
def test_any_answer_is_read_or_refused(payload: Any) -> None:
    survives(lambda: read_page(PodDetails, payload))
    survives(lambda: read_status(payload))
    assert isinstance(read_logs(payload), str)


@given(st.text(), st.sampled_from(["application/json", "text/html", ""]))
def test_any_error_body_is_one_line_or_nothing(text: str, content_type: str) -> None:
    said = read_error(text, content_type)
    assert said is None or len(said.splitlines()) == 1


LINES = st.lists(
    st.tuples(st.sampled_from(["gpu", "count", "name", "env", "disks", "memory", "nonsense"]), st.text()),
    max_size=6,
).map(lambda pairs: "\n".join(f"{key}: {value}" for key, value in pairs))


@given(st.text() | LINES)
def test_any_body_is_a_spec_or_one_line(text: str) -> None:
    refusals: list[str] = []
    try:
        spec = parse_spec(text)
    except PodsError as refused:
        refusals = str(refused).splitlines() or [""]
    assert len(refusals) == 1 or spec.gpu_type or spec.cloud_id
