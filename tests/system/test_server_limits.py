"""Limits that servers say (RFC 9422): ours in EHLO, and those of a next hop, which nothing of ours goes beyond."""
import re

from client import Client
from sink import Action


def submit(mta, recipients):
    with Client(mta.trusted) as client:
        client.hello()
        replies = client.transaction("alice@local.test", recipients, b"Subject: x\r\n\r\nhello\r\n")
        assert replies[-1].code == 250, replies


def test_ours(posthorn):
    mta = posthorn({"message-recipients": 100})
    with Client(mta.mx) as client:
        assert "LIMITS RCPTMAX=100" in client.hello().lines
        names = [f"RCPT TO:<alice+{i}@local.test>" for i in range(101)]
        codes = [r.code for r in client.pipeline(["MAIL FROM:<a@far.test>"] + names)]
        assert codes == [250] * 101 + [452]


def test_recipients_of_a_transaction(mta, sink):
    sink.extensions.append("LIMITS RCPTMAX=2")
    submit(mta, [f"r{i}@far.test" for i in range(5)])
    got = sink.wait(3)
    assert sorted(len(t.recipients) for t in got) == [1, 2, 2]
    assert sorted(r for t in got for r in t.recipients) == [f"r{i}@far.test" for i in range(5)]
    assert len({t.session for t in got}) == 1 and all(t.refused == [] for t in got)
    mta.wait_empty()


def test_transactions_of_a_session(mta, sink):
    sink.extensions.append("LIMITS MAILMAX=1 RCPTMAX=2")
    submit(mta, [f"r{i}@far.test" for i in range(5)])
    got = sink.wait(3)
    assert len({t.session for t in got}) == 3
    mta.wait_empty()
    assert all(s.lines[-1] == "QUIT" for s in sink.sessions)


def test_domains_of_a_session(posthorn, sink):
    sink.extensions.append("LIMITS RCPTDOMAINMAX=1")
    mta = posthorn({"relay": {"smart-host": f"[127.0.0.1]:{sink.port}"}})
    submit(mta, ["a@one.test", "b@two.test", "c@one.test"])
    got = sink.wait(2)
    assert sorted(tuple(sorted(t.recipients)) for t in got) == [("a@one.test", "c@one.test"), ("b@two.test",)]
    assert len({t.session for t in got}) == 2
    mta.wait_empty()


def test_quit_without_an_answer(mta, sink):
    """One session for each recipient, and none of them ends by itself: they are not let to pile up."""
    sink.extensions.append("LIMITS MAILMAX=1 RCPTMAX=1")
    sink.on("QUIT", None, Action.HANG)
    submit(mta, [f"r{i}@far.test" for i in range(700)])
    assert len({t.session for t in sink.wait(700, 60)}) == 700
    mta.wait_empty()
    connections = int(re.search(r"^\s*relay.*?connections (\d+)", mta.posthorn("status"), re.S | re.M).group(1))
    assert 100 <= connections <= 500
    assert sum(s.lines[-1] == "QUIT" for s in sink.sessions) >= 500
