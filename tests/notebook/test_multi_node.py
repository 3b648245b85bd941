"""Pods of several nodes, as a person reads of them."""

from __future__ import annotations

from typing import Any

import pytest

from primepods_magic.api.errors import GuardNotArmed, InvalidRequest
from tests.notebook.test_exec import pod_shell as pod_shell
from tests.pods.test_machines import disconnected as disconnected
from tests.pods.test_machines import machines as machines
from tests.support.sandbox_control import SandboxControl

HOURS = 2
CREATE = "%%pod_create\nname: big\ngpu: H100_80GB\ncount: 16"


def test_offers_show_their_nodes_only_if_some_have_several(shell: Any) -> None:
    shell.run("%pods avail --gpu H100_80GB --count 16")
    assert " nodes " in shell.output.text
    assert shell.run("%pods avail --multi-node")["gpus_per_node"].eq(8).all()
    shell.run("%pods avail --gpu H100_80GB")
    assert " nodes " not in shell.output.text


def test_says_that_the_price_is_for_all_nodes_and_shows_each_of_them(
    shell: Any, sandbox: SandboxControl
) -> None:
    shell.run(CREATE)
    assert "$49.60/h for all nodes ($3.10/h per GPU), $1,190.40/day" in shell.output.text
    assert "16 × H100_80GB · several nodes · $49.60/h" in shell.output.text
    sandbox.advance(600)
    pods = shell.run("%pods ls")
    assert pods[["gpu_count", "nodes", "price_usd_hr"]].to_numpy().tolist() == [[16, 2, 49.6]]
    assert " nodes " in shell.output.text
    commands = shell.run("%pods ssh big").splitlines()
    assert len(commands) == len(set(commands)) == 2
    assert [shell.run(f"%pods ssh big --node {node}") for node in (1, 2)] == commands
    with pytest.raises(InvalidRequest, match="There is no node 3: the last of 'big' is 2"):
        shell.run("%pods ssh big --node 3")
    assert shell.run("%pods ssh big --config").startswith("pod-big, pod-big-2 are in ")
    shell.run("%pods show big")
    assert "2 nodes" in shell.output.text
    with pytest.raises(GuardNotArmed, match="'big' has several"):
        shell.run("%pods guard big --idle 30m")


def test_costs_count_the_gpus_of_all_nodes(shell: Any, sandbox: SandboxControl) -> None:
    shell.run(CREATE)
    sandbox.advance(HOURS * 3600)
    live = shell.run("%pods costs --by gpu_count --since today")
    sixteen = live[live["gpu_count"] == 16].iloc[0]
    # It is billed from the moment when it is active.
    assert sixteen["gpu_hours"] == pytest.approx(16 * HOURS, rel=0.01)
    assert sixteen["cost_usd"] == pytest.approx(49.6 * HOURS, rel=0.01)
    shell.run("%pods")
    assert "1 live pod of yours, $49.6" in shell.output.text
    removed = shell.run("%pods rm big -y")
    assert removed["billed_usd"].iloc[0] == pytest.approx(49.6 * HOURS, rel=0.01)
    history = shell.run("%pods history").set_index("name")
    assert history.loc["big", "gpu_hours"] == pytest.approx(16 * HOURS, rel=0.01)


def test_a_cell_says_that_it_runs_on_the_first_node(pod_shell: Any, machines: SandboxControl) -> None:
    pod_shell.run(CREATE)
    machines.advance(600)
    pod_shell.run("%%pod big\nprint(sum(range(9)))")
    assert "36" in pod_shell.output.text
    assert "big · 16 × H100_80GB · node 1 of 2 · " in pod_shell.output.text
    homes = set()
    for node in (1, 2):
        pod_shell.run(f"%pods exec big --node {node} -- pwd")
        homes.add(pod_shell.output.text)
    assert len(homes) == 2
    checks = pod_shell.run("%pods doctor big --all").set_index("check")
    assert checks.loc["gpu", "result"] == "ok"
