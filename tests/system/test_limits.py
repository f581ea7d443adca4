"""When sessions run out: who still gets through, and whose patience is cut short."""
import pytest

from client import Client, Closed
from waiting import wait_for

FRIEND = "127.0.0.2"
SETTINGS = {"trusted-networks": [FRIEND + "/32"], "smtpd": {"max-sessions": 3, "stress-timeout": "1s"}}


def test_trusted_networks_get_through_a_full_public_port(posthorn, ledger):
    """Strangers have every session of the mx worker; mail of a trusted network comes in on the same port."""
    mta = posthorn({**SETTINGS, "smtpd": {"max-sessions": 3, "stress-timeout": 0}}, ready=False)
    wait_for(lambda: talks(mta), 20, "service")
    crowd = [Client(mta.mx) for _ in range(3)]
    with Client(mta.mx, source=FRIEND) as friend:
        friend.hello()
        assert friend.transaction("bob@local.test", ["alice@local.test"], ledger.message()[1])[-1].code == 250
    mta.wait_mails("alice")
    with Client(mta.mx, greet=False) as stranger:
        assert stranger.reply().code == 421
    for client in crowd:
        client.close()


def talks(mta):
    try:
        with Client(mta.mx, source=FRIEND) as client:
            return client.greeting.code == 220
    except (OSError, Closed):
        return False


def test_strangers_are_hurried_when_sessions_run_out(posthorn):
    mta = posthorn(SETTINGS, ready=False)
    wait_for(lambda: talks(mta), 20, "service")
    crowd = [Client(mta.mx) for _ in range(3)]
    for client in crowd:
        assert client.reply().code == 421
        with pytest.raises(Closed):
            client.line()
    mta.wait_log(r"3 of 3 sessions are in use: strangers have 1000 ms for a command now")
    with Client(mta.mx) as client:
        assert client.greeting.code == 220
