"""The kernel on a pod passes the test suite of Jupyter's protocol, as a local ipykernel does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Not by its name: it is a test class, and would be collected here.
import jupyter_kernel_test as suite
import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.environment import clean_environment
from tests.support.pod_kernels import pod_in_picker


class _Samples(suite.KernelTests):
    """What the suite runs, in both kernels."""

    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = [
        {"text": "zi", "matches": {"zip"}},
        {"text": "from os import pathconf_", "matches": {"pathconf_names"}},
    ]
    complete_code_samples = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('1')"
    code_execute_result = [{"code": "1+2+3", "result": "6"}]
    code_display_data = [
        {
            "code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))",
            "mime": "text/html",
        },
        {
            "code": "from IPython.display import Math, display; display(Math('\\\\frac{1}{2}'))",
            "mime": "text/latex",
        },
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"

    def history_helper(self, *given: Any, **named: Any) -> dict[str, Any]:
        """In a range, IPython calls the current session 0, which the suite does not expect."""
        reply: dict[str, Any] = super().history_helper(*given, **named)
        if named.get("hist_access_type") == "range":
            rows = reply["content"]["history"]
            reply["content"]["history"] = [[row[0] or named["session"], *row[1:]] for row in rows]
        return reply

    @classmethod
    def setUpClass(cls) -> None:
        """Start nothing: the fixtures do, once there is a pod."""

    @classmethod
    def tearDownClass(cls) -> None:
        """End nothing: the fixtures do."""


class TestPodKernel(_Samples):
    """In a session on a pod."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def started(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        folder = tmp_path_factory.mktemp("picker")
        with pod_in_picker(folder, options=("--costs", "never")) as picked, picked.kernel() as kernel:
            cls.km, cls.kc = kernel.manager, kernel.client
            yield


@pytest.mark.soak
class TestLocalKernel(_Samples):
    """In a local ipykernel: what the kernel on a pod is compared with."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def started(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        cls.km, cls.kc = start_new_kernel(env=clean_environment(tmp_path_factory.mktemp("home")))
        yield
        cls.kc.stop_channels()
        cls.km.shutdown_kernel()
        cls.km.cleanup_resources()


# The base class needs a kernel of its own.
del _Samples


def test_the_suite_is_complete() -> None:
    """No test of the suite is left out: it skips those without a sample."""
    wanted: dict[str, Any] = {
        name: value
        for name, value in vars(suite.KernelTests).items()
        if name.startswith(("code_", "completion"))
    }
    assert all(getattr(TestPodKernel, name) for name in wanted)
