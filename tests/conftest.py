"""A test that is skipped for want of a component fails where all components are required."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

REQUIRED = "TREEMEND_REQUIRE_COMPONENTS" in os.environ


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    optional = "toolchain" in item.keywords
    if REQUIRED and report.skipped and not optional and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where everything is required: {report.longrepr}"
    return report
