"""Launchers in one notebook do not affect each other."""

from __future__ import annotations

from typing import Any

from primepods_magic.notebook.launcher.state.flow import FlowStage
from primepods_magic.notebook.launcher.state.model import LauncherModel

from .conftest import Opened, chosen, idle


def test_two_launchers_do_not_disturb_one_another(opened: Opened) -> None:
    namespace: dict[str, Any] = {}
    one, two = opened(namespace), opened(namespace)
    one.filter(gpu="H100")
    two.filter(gpu="L40S", location="NO")
    for model, cloud_id, value in (
        (one, "dc1-H100x1", "the-first-secret"),
        (two, "n3-L40Sx1", "another-secret"),
    ):
        chosen(model, cloud_id, name=cloud_id)
        model.do(model.flow.name_variable, "HF_TOKEN")
        model.do(model.flow.add_variable, value)
        idle(model)
    assert {row.offer.gpu_type for row in one.results.rows} == {"H100_80GB"}
    assert {row.offer.gpu_type for row in two.results.rows} == {"L40S_48GB"}
    assert one.flow.form.env == {"HF_TOKEN": "${HF_TOKEN}"}
    assert two.flow.form.env == {"HF_TOKEN": "${HF_TOKEN_2}"}

    def sent(model: LauncherModel) -> str:
        assert model.flow.spec is not None
        assert model.flow.spec.env_vars is not None
        return model.flow.spec.env_vars[0].value.get_secret_value()

    assert (sent(one), sent(two)) == ("the-first-secret", "another-secret")
    one.do(one.flow.remove_variable, "HF_TOKEN")
    one.close()
    idle(two)
    assert sent(two) == "another-secret"
    two.review()
    idle(two)
    assert two.flow.stage is FlowStage.SUMMARY


def test_a_password_of_one_launcher_is_not_changed_by_another(opened: Opened) -> None:
    namespace: dict[str, Any] = {}
    one, two = opened(namespace), opened(namespace)
    chosen(one)
    chosen(two)

    def sent(model: LauncherModel) -> str:
        idle(model)
        assert model.flow.spec is not None, model.flow.problems
        assert model.flow.spec.jupyter_password is not None
        return model.flow.spec.jupyter_password.get_secret_value()

    two.do(two.flow.set_password, "another-password")
    before = sent(two)
    one.do(one.flow.set_password, "a-password-of-my-own")
    assert sent(one) == "a-password-of-my-own"
    two.set(name="two")
    assert sent(two) == before
