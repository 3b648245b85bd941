"""What completion knows: live pods, words of offers, and a look in the background that is rare."""

from __future__ import annotations

import httpx

from primepods_magic.api.models import Offer, PodDetails
from primepods_magic.pods.connection.completion_cache import CompletionCache
from primepods_magic.pods.support.background import join_background
from tests.pods.conftest import Changing, Through


def pods(*said: tuple[str, str, str]) -> list[PodDetails]:
    return [PodDetails.model_validate({"id": i, "name": name, "status": status}) for i, name, status in said]


def test_live_pods_are_meant_by_name_and_once_something_is_typed_by_id() -> None:
    memory = CompletionCache()
    memory.update_pods(
        pods(
            ("a1", "train", "ACTIVE"),
            ("b2", "my pod", "ERROR"),
            ("c3", "gone", "DELETING"),
            ("d4", "", "ACTIVE"),
        )
    )
    assert memory.complete_pod("") == ["my pod", "train", "d4"]
    assert memory.complete_pod("a") == ["a1"]
    assert memory.complete_pod("b") == ["b2"]
    assert memory.complete_pod("my") == ["my pod"]
    assert memory.complete_pod("g") == []
    memory.update_pods([])
    assert memory.complete_pod("") == []


def test_a_name_that_does_not_mean_one_pod_is_not_offered() -> None:
    memory = CompletionCache()
    memory.update_pods(
        pods(
            ("a1", "twin", "ACTIVE"),
            ("b2", "twin", "ACTIVE"),
            ("c3", "a1", "ACTIVE"),
            ("d4", "d4", "ACTIVE"),
            ("e5", "gone", "TERMINATED"),
            ("f6", "gone", "ACTIVE"),
        )
    )
    assert memory.complete_pod("") == ["d4", "gone", "a1", "b2", "c3"]


def test_only_what_can_be_typed_is_offered() -> None:
    memory = CompletionCache()
    memory.update_pods(pods(("a1", "{evil}", "ACTIVE"), ("{evil}", "-y", "ACTIVE"), ("c3", "c", "ACTIVE")))
    typed = {"a1": "a1", "c": "'c'"}
    assert memory.complete_pod("", typed.get) == ["'c'", "a1"]
    assert memory.complete_pod("{", typed.get) == []


def test_words_of_offers_gather() -> None:
    memory = CompletionCache()
    memory.update_offers([Offer(gpu_type="NEW_1GB", country="NO", images=["a", "b"])])
    memory.update_offers([Offer(gpu_type="NEW_2GB", country=None)])
    assert memory.words("gpu") == {"NEW_1GB", "NEW_2GB"}
    assert memory.words("country") == {"NO"}
    assert memory.words("image") == {"a", "b"}
    assert memory.words("nothing") == frozenset()


def test_a_look_in_the_background_is_rare_also_where_it_fails(through: Through) -> None:
    lists = []

    def count(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        lists.append(request.url.path)
        return httpx.Response(500, json={"detail": "down"}, request=request)

    connection = through(Changing(count))
    for _ in range(20):
        connection.completion_cache.refresh(connection)
        join_background(connection)
    assert len(lists) == 1
