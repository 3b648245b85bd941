"""`%pods ssh` as a person reads it."""

from __future__ import annotations

from typing import Any

CREATE = "%pod_create --gpu L4_24GB --name train --wait"


def test_the_command_is_the_value(shell: Any) -> None:
    pod = shell.run(CREATE)
    assert shell.run("%pods ssh train") == pod.ssh
    assert shell.output.text == pod.ssh


def test_the_hosts_are_written_and_explained(shell: Any) -> None:
    shell.run(CREATE)
    shell.run("%pods ssh train --config")
    assert shell.output.text.splitlines() == [
        "pod-train is in ~/.config/primepods_magic/ssh_config",
        "~/.ssh/config does not include it yet. Put this line at its top: "
        "Include ~/.config/primepods_magic/ssh_config",
        "  ssh pod-train",
        "  scp file pod-train:",
        "  rsync -a folder/ pod-train:folder/",
        "  VS Code: Remote-SSH: Connect to Host… pod-train",
        "  until then: ssh -F ~/.config/primepods_magic/ssh_config pod-train",
    ]
