"""A pod in the kernel picker, which the tests of a file share, and a kernel of each test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.pod_kernels import KernelUse, PodInPicker, pod_in_picker


@pytest.fixture(scope="module")
def picked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodInPicker]:
    with pod_in_picker(tmp_path_factory.mktemp("picker")) as picked:
        yield picked


@pytest.fixture
def kernel(picked: PodInPicker) -> Iterator[KernelUse]:
    with picked.kernel() as kernel:
        yield kernel
