"""SMTP smuggling: only CRLF . CRLF ends a message, whatever else looks like an end to somebody."""
import itertools

import pytest

from client import Client, Closed

ENDS = {"CRLF": b"\r\n", "LF": b"\n", "CR": b"\r", "nothing": b"", "CRCRLF": b"\r\r\n", "NUL": b"\0"}
RECIPIENTS = ["alice@local.test", "someone@far.test"]


def attack(address, before, after, name):
    """One message with the pretended end in it, a second one behind that, then the true end. Returns the last replies' codes."""
    with Client(address) as client:
        client.hello()
        replies = client.pipeline(["MAIL FROM:<honest@far.test>"] + [f"RCPT TO:<{r}>" for r in RECIPIENTS] + ["DATA"])
        assert replies[-1].code == 354
        client.send(b"X-Ledger: " + name.encode() + b"\r\nSubject: first\r\n\r\nbody" + before + b"." + after +
                    b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<bob@local.test>\r\nDATA\r\nX-Ledger: evil\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n")
        codes = []
        try:
            while True:
                codes.append(client.reply().code)
        except Closed:
            return codes


def attack_in_chunks(address, before, after, name):
    """The same by BDAT: what would be the second message is in the second chunk. Returns the codes behind RCPT."""
    with Client(address) as client:
        client.hello()
        client.pipeline(["MAIL FROM:<honest@far.test>"] + [f"RCPT TO:<{r}>" for r in RECIPIENTS])
        first = b"X-Ledger: " + name.encode() + b"\r\nSubject: first\r\n\r\nbody" + before + b"." + after
        second = b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<bob@local.test>\r\nDATA\r\nX-Ledger: evil\r\n\r\nsmuggled\r\n.\r\n"
        client.send(b"BDAT %d\r\n%sBDAT %d LAST\r\n%sQUIT\r\n" % (len(first), first, len(second), second))
        codes = []
        try:
            while True:
                codes.append(client.reply().code)
        except Closed:
            return codes


@pytest.mark.parametrize("before,after", itertools.product(ENDS, ENDS))
def test_a_chunk_has_no_end_but_its_own(shared, before, after):
    mta, sink = shared
    codes = attack_in_chunks(mta.trusted, ENDS[before], ENDS[after], f"chunk-{before}-{after}")
    bare = any(end in ("LF", "CR", "CRCRLF") for end in (before, after))
    assert codes == ([250, 550] if bare and after == "CR" and before not in ("LF", "CR", "CRCRLF") else [550] if bare else [250, 250, 221])
    assert mta.mails("bob") == []
    assert not [t for t in sink.transactions if t.sender == "evil@far.test"]


@pytest.mark.parametrize("before,after", [p for p in itertools.product(ENDS, ENDS) if p != ("CRLF", "CRLF")])
def test_a_pretended_end_is_no_end(shared, before, after):
    mta, sink = shared
    name = f"{before}-{after}"
    codes = attack(mta.trusted, ENDS[before], ENDS[after], name)
    assert codes in ([250, 221], [550], [550, 221], [554, 221], [550, 421]), codes
    bare = any(end in ("LF", "CR", "CRCRLF") for end in (before, after))
    if bare:
        assert codes == [550], "a bare CR or LF is refused, and the connection is closed"
    assert mta.mails("bob") == []
    assert not [t for t in sink.transactions if t.sender == "evil@far.test"]


def test_the_true_end_is_one(shared):
    """The positive control: behind CRLF . CRLF the next commands count, in the same packet, too."""
    mta, sink = shared
    before = len(mta.mails("alice"))
    with Client(mta.trusted) as client:
        client.hello()
        client.pipeline(["MAIL FROM:<honest@far.test>"] + [f"RCPT TO:<{r}>" for r in RECIPIENTS] + ["DATA"])
        client.send(b"X-Ledger: true\r\n\r\nbody\r\n.\r\nMAIL FROM:<second@far.test>\r\nRCPT TO:<bob@local.test>\r\nDATA\r\n")
        assert [client.reply().code for _ in range(4)] == [250, 250, 250, 354]
        client.send(b"X-Ledger: next\r\n\r\nsecond\r\n.\r\nQUIT\r\n")
        assert [client.reply().code for _ in range(2)] == [250, 221]
    mta.wait_mails("bob")
    mta.wait_mails("alice", before + 1)
    mta.wait_empty()
    for transaction in sink.accepted():
        rest = transaction.content.replace(b"\r\n", b"")
        assert b"\r" not in rest and b"\n" not in rest, "a lone CR or LF went out"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One posthorn for the whole matrix: what one attack leaves behind would show in the next."""
    from fake_dns import FakeDns
    from posthorn import Posthorn
    from sink import Sink

    sink = Sink()
    dns = FakeDns({"far.test": {"MX": [(10, "mx.far.test")]}, "mx.far.test": {"A": ["127.0.0.1"]}})
    with Posthorn(tmp_path_factory.mktemp("smuggling"), dns=dns, mx_port=sink.port) as mta:
        yield mta, sink
    sink.close()
    dns.close()
