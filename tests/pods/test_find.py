"""Lookup of pods by id and name, and the hints of its errors."""

from __future__ import annotations

import unicodedata

import pytest

from primepods_magic.api.errors import NameInUse, NotFound
from primepods_magic.pods.find import find_pod, find_pods
from tests.support.watching import Service, connected


def test_refuses_to_change_a_pod_whose_id_is_the_name_of_another() -> None:
    service = Service("train", "b7")
    service.pods["b7"]["name"] = "train"
    with connected(service) as connection:
        for find in (find_pod, lambda *args, **kwargs: find_pods(args[0], [args[1]], **kwargs)):
            with pytest.raises(NameInUse, match=r"its id \(b7\)"):
                find(connection, "train", to_change=True)
        assert find_pod(connection, "train").id == "train"
        assert find_pod(connection, "b7", to_change=True).id == "b7"
        service.put("b7", status="TERMINATED")
        assert find_pod(connection, "train", to_change=True).id == "train"


@pytest.mark.parametrize("to_change", [False, True])
def test_names_a_lookalike_by_its_id_instead_of_suggesting_the_same_spelling(to_change: bool) -> None:
    service = Service("a1", "train")
    service.pods["a1"]["name"] = unicodedata.normalize("NFD", "café")
    with connected(service) as connection, pytest.raises(NotFound) as caught:
        find_pod(connection, unicodedata.normalize("NFC", "café"), to_change=to_change)
    assert str(caught.value) == (
        "There is no pod 'café'. A pod has a name that looks the same but has different characters. "
        "Name it by its id (a1)"
    )


def test_does_not_suggest_a_pod_that_was_removed_a_moment_ago() -> None:
    with connected(Service("train", "eval")) as connection:
        find_pods(connection, ["train", "eval"])
        connection.note_gone(["train"])
        for _ in range(2):
            # The list lags: it still has both.
            with pytest.raises(NotFound, match=r"There is no pod 'trian'\. Your pods: 'eval'$"):
                find_pod(connection, "trian")
        connection.note_gone(["eval"])
        with pytest.raises(NotFound, match="You have no live pods"):
            find_pod(connection, "trian")
