"""A guard of a sandbox inside a kernel ends with it, and goes on with the next one."""

from __future__ import annotations

from pathlib import Path

from primepods_magic import launch
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.guards.arming import check_guards, keep_guards
from primepods_magic.pods.guards.records import find_account_folder, list_records
from tests.support.guard_processes import running_guards
from tests.support.waiting import eventually


def test_a_guard_ends_with_the_sandbox_of_its_kernel_and_comes_back(home: Path) -> None:
    connection = connect(sandbox=True, machines=False)
    pod = launch(gpu="L4_24GB", name="train", run_for="4h", tell=lambda _: None)
    assert len(running_guards(home)) == 1
    disconnect()
    eventually(lambda: not running_guards(home), "nothing is left behind")
    again = connect(sandbox=True, machines=False)
    assert again is not connection
    assert [line for line in keep_guards(again) if "started again" in line]
    (record,) = check_guards(again)
    assert (record.pod_id, record.state) == (pod.id, "armed")
    assert list_records(find_account_folder(again))
    disconnect()
