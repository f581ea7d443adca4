"""What interoperability tests ask for: all that system tests have, and an authority whose certificates clients can verify."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from certificates import Authority  # noqa: E402
from fixtures import dns, ledger, mta, posthorn, sink  # noqa: F401, E402 (pytest finds them by their names here)
from logins import password_file  # noqa: E402
from posthorn import HOSTNAME, merged  # noqa: E402

DAYS = 90                       # testssl.sh finds less than 60 too short


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), DAYS)


@pytest.fixture
def served(posthorn, authority, tmp_path):
    """A function that starts a posthorn with the ports of an administrator: mx like 25, submission like 587, and `trusted` like 465."""
    certificate, key = authority.issue("main", HOSTNAME, "localhost", days=DAYS)
    (tmp_path / "passwords").write_text(password_file())
    names = {"tls": ["main"]}
    settings = {"tls main": {"certificate": [str(certificate)], "key": [str(key)]}, "listener mx": names, "listener submission": names,
                "listener trusted": {**names, "role": "submission", "implicit-tls": True},
                "submission": {"users": f"file:{tmp_path}/passwords", "auth-failure-delay": "50ms"}}

    def begin(**over):
        return posthorn(merged(settings, over))

    return begin
