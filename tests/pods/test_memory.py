"""What completion knows: live pods, words of offers, and a look in the background that is rare."""

from __future__ import annotations

import httpx

from primepods_magic.api.models import Offer, PodDetails
from primepods_magic.pods.behind import finish
from primepods_magic.pods.memory import Memory
from tests.pods.conftest import Changing, Through


def pods(*said: tuple[str, str, str]) -> list[PodDetails]:
    return [PodDetails.model_validate({"id": i, "name": name, "status": status}) for i, name, status in said]


def test_live_pods_are_meant_by_name_and_once_something_is_typed_by_id() -> None:
    memory = Memory()
    memory.learn_pods(
        pods(
            ("a1", "train", "ACTIVE"),
            ("b2", "my pod", "ERROR"),
            ("c3", "gone", "DELETING"),
            ("d4", "", "ACTIVE"),
        )
    )
    assert memory.pod_words("") == ["b2", "d4", "train"]
    assert memory.pod_words("a") == ["a1"]
    assert memory.pod_words("b") == ["b2"]
    assert memory.pod_words("g") == []
    memory.learn_pods([])
    assert memory.pod_words("") == []


def test_words_of_offers_gather() -> None:
    memory = Memory()
    memory.learn_offers([Offer(gpu_type="NEW_1GB", country="NO", images=["a", "b"])])
    memory.learn_offers([Offer(gpu_type="NEW_2GB", country=None)])
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
        connection.memory.refresh(connection)
        finish(connection)
    assert len(lists) == 1
