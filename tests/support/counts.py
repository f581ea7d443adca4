"""counts — a pytest plugin: leaves "passed failed skipped" in the file that POSTHORN_COUNTS names, for ./dev to add up."""
import os

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "root_only: needs root: several uids, or mail for another user")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    path = os.environ.get("POSTHORN_COUNTS")
    if not path:
        return
    stats = terminalreporter.stats
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    with open(path, "w", encoding="ascii") as out:
        print(len(stats.get("passed", [])), failed, len(stats.get("skipped", [])), file=out)
