"""What the FinOps Foundation's own validator says of our FOCUS files.

Only under `make package`: it needs old versions of what the package itself uses, and so its own environment.
"""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings

from primepods_magic import Settings, connect, costs
from tests.frames.focus import ledgers
from tests.support.sandbox_control import KEY, SandboxControl

from .environments import Environment
from .test_matrix import empty, install

pytestmark = [pytest.mark.package, pytest.mark.timeout(3600)]

# It has no version for newer Pythons, and lists what it needs without all of the limits.
PYTHON = "3.11"
REQUIREMENTS = ("focus-validator==1.0.0", "multimethod<2", "pyarrow<20")
TESTS = "133"
# Not all of its names are those of the specification, and a rule asks for a column of an earlier version.
RENAMED = {
    "ProviderName": "Provider",
    "PublisherName": "Publisher",
    "InvoiceIssuerName": "InvoiceIssuer",
    "ResourceId": "ResourceID",
}


@pytest.fixture(scope="session")
def validator(index: None) -> Environment:
    return install(empty("focus", PYTHON), *REQUIREMENTS)


def failures_of(validator: Environment, path: Path) -> list[str]:
    """The rules that a saved file breaks."""
    copy, report = path.with_stem("copy"), path.with_suffix(".xml")
    report.unlink(missing_ok=True)
    # As text, so that what is checked are the characters of the file.
    is_csv = path.suffix == ".csv"
    told = pd.read_csv(path, dtype=str, keep_default_na=False) if is_csv else pd.read_parquet(path)
    told = told.assign(ChargeType=told["ChargeCategory"]).rename(columns=RENAMED)
    told.to_csv(copy, index=False) if is_csv else told.to_parquet(copy)
    command = [validator.python, "-m", "focus_validator.main", "--data-file", str(copy)]
    command += ["--validate-version", "1.0", "--output-type", "unittest", "--output-destination", str(report)]
    # It looks for its list of currencies below the current folder, and its exit status says nothing.
    (packages,) = validator.folder.glob("lib/python*/site-packages")
    done = subprocess.run(command, cwd=packages, capture_output=True, text=True, timeout=300)
    assert report.exists(), done.stdout + done.stderr
    root = ElementTree.parse(report).getroot()
    assert (root.get("tests"), root.get("errors"), root.get("skipped")) == (TESTS, "0", "0")
    failed = [str(case.get("name")) for case in root.iter("testcase") if list(case)]
    assert len(failed) == int(root.get("failures", "-1"))
    return failed


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_seeded_history_has_no_failure(
    validator: Environment, sandbox: SandboxControl, tmp_path: Path, ending: str
) -> None:
    connection = connect(settings=Settings(sandbox.url, KEY))
    frame = costs.to_focus(costs.read_ledger(connection))
    connection.close()
    assert len(frame) > 100
    assert failures_of(validator, costs.save_frame(frame, tmp_path / f"focus.{ending}")) == []


def test_a_broken_file_fails(validator: Environment, tmp_path: Path) -> None:
    line = {"begin_at": ["2026-09-01"], "end_at": ["2026-09-02"], "cost_usd": [1.0]}
    frame = costs.to_focus(pd.DataFrame(line))
    assert failures_of(validator, costs.save_frame(frame, tmp_path / "good.csv")) == []
    frame = frame.assign(BillingCurrency="BTC", PricingCategory="Cheap", ServiceName=None)
    found = " ".join(failures_of(validator, costs.save_frame(frame, tmp_path / "bad.csv")))
    assert all(name in found for name in ("BillingCurrency", "PricingCategory", "ServiceName"))


@given(ledger=ledgers())
@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_ledger_has_no_failure(
    validator: Environment, tmp_path_factory: pytest.TempPathFactory, ledger: pd.DataFrame
) -> None:
    frame = costs.to_focus(ledger)
    # The dtypes of a file without rows are not those that it expects.
    assume(len(frame))
    path = tmp_path_factory.mktemp("focus") / "focus.csv"
    assert failures_of(validator, costs.save_frame(frame, path)) == []
