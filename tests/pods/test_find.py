"""A text that is one pod's id and another's name."""

from __future__ import annotations

import pytest

from primepods_magic.api.errors import NameInUse
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
