"""tidy — a pytest plugin: what a passed test left below tmp_path goes at once. A queue has a ballast of 64 MiB, and hundreds of them
are more than a small disk has free."""
import shutil

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    item.failed = getattr(item, "failed", False) or report.failed
    path = item.funcargs.get("tmp_path")
    if report.when == "teardown" and not item.failed and path is not None:
        shutil.rmtree(path, ignore_errors=True)
