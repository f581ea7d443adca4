"""The build itself: where the hooks are, so that tests/system/test_release.py can be seen to find them; and what an installation has."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from test_release import holds, programs  # noqa: E402


def test_the_search_for_hooks_finds_them(tmp_path):
    """Every process of the cast has them here: who has none could not be tested."""
    found = {path.name for path in programs() if holds(path, tmp_path)}
    assert {"smtpd", "queue", "relay", "mda", "lookup", "key", "logger", "worker"} <= found
