"""`%pods env`: what this notebook has imported, and nothing else, beside what a pod has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest
from tests.notebook.test_exec import pod_shell as pod_shell
from tests.pods.test_machines import disconnected as disconnected
from tests.pods.test_machines import machines as machines
from tests.support.sandbox_control import SandboxControl
from tests.support.wheels import put_package


def test_compares_what_the_notebook_has_imported(
    pod_shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_package(tmp_path / "site-packages", "absent-there", "1.2+local")
    (tmp_path / "mine.py").write_text("")
    for folder in (tmp_path, tmp_path / "site-packages"):
        monkeypatch.syspath_prepend(folder)
    for cell in ("import absent_there, mine", "from httpx import get as fetch\ndef f():\n    import yaml"):
        pod_shell.run(cell)
    frame = pod_shell.run("%pods env train")
    assert frame["package"].tolist() == ["python", "absent-there", "httpx", "pyyaml"]
    assert frame["state"].tolist() == ["same", "missing", "same", "same"]
    assert frame["modules"].dropna().tolist() == ["absent_there", "httpx", "yaml"]
    pod_shell.run("_")
    notes = "3 packages · 1 missing ('--install' installs 1) · only here: mine.py ('%pods put' sends files)"
    assert notes in pod_shell.output.text
    assert pod_shell.run("%pods env train Rich")["package"].tolist() == ["python", "rich"]
    with pytest.raises(InvalidRequest, match="on 'train' was not confirmed"):
        pod_shell.run("%pods env train --install")
    assert " of this computer: absent-there==1.2\n" in pod_shell.output.text
    for name in ("mine", "absent_there"):
        sys.modules.pop(name)


def test_says_which_node_of_several_it_is_about(pod_shell: Any, machines: SandboxControl) -> None:
    offers = machines.api.get("/api/v1/availability/multi-node", params={"cloud_id": "pc-H200x16"})
    offer = offers.json()["items"][0]
    wanted = {name: offer[name] for name in ("cloudId", "gpuType", "socket", "gpuCount")}
    order = {"name": "pair", **wanted, "dataCenterId": offer["dataCenter"]}
    body = {"pod": order, "provider": {"type": offer["provider"]}}
    assert machines.api.post("/api/v1/pods", json=body).is_success
    machines.advance(600)
    pod_shell.run("%pods env pair rich")
    pod_shell.run("_")
    assert "1 package · node 1 of 2" in pod_shell.output.text
    pod_shell.run("%pods env train rich")
    pod_shell.run("_")
    assert "node" not in pod_shell.output.text
