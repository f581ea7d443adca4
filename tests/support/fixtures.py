"""What tests of the whole system ask for: a test DNS, a sink behind its MX, a ledger, and a posthorn that knows them. A conftest.py imports them."""
import pytest

from fake_dns import FakeDns
from ledger import Ledger
from posthorn import Posthorn
from sink import Sink

DEAD = "127.0.0.3"              # an address where nothing listens


@pytest.fixture
def sink():
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def dns():
    server = FakeDns({
        "far.test": {"MX": [(10, "mx.far.test")]},
        "other.test": {"MX": [(10, "mx.far.test")]},
        "mx.far.test": {"A": ["127.0.0.1"]},
        "dead.test": {"MX": [(10, "mx.dead.test")]},
        "mx.dead.test": {"A": [DEAD]},
        "null.test": {"MX": [(0, ".")]},
        "servfail.test": {"rcode": "SERVFAIL"},
        "silent.test": {"rcode": "TIMEOUT"},
    })
    yield server
    server.close()


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def posthorn(tmp_path, dns, sink):
    """A function that starts a posthorn with settings of the test; all are stopped at the end, and must stop well."""
    started = []

    def start(settings=None, ready=True, **options):
        directory = tmp_path / f"posthorn{len(started)}"
        mta = Posthorn(directory, settings, **{"dns": dns, "mx_port": sink.port, **options})
        started.append(mta)
        return mta.start(ready=ready)

    yield start
    errors = []
    for mta in started:
        print(mta.words())              # pytest shows it when the test has failed
        try:
            mta.__exit__(None)
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, errors


@pytest.fixture
def mta(posthorn):
    return posthorn()
