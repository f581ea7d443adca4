"""BDAT (RFC 3030) in and out: the bytes of a message are what they were, whichever way they came and go."""
import random

import pytest

from client import Client
from sink import Sink

ENVELOPE = ["MAIL FROM:<alice@local.test> BODY=8BITMIME", "RCPT TO:<someone@far.test>"]
LINES = [b".\r\n", b"..\r\n", b".QUIT\r\n", b"\r\n", "äöü\r\n".encode(), b"x" * 76 + b"\r\n", b"RSET\r\n"]


def message(size, seed):
    lines = random.Random(seed).choices(LINES, k=size // (sum(map(len, LINES)) // len(LINES)))
    return b"X-Ledger: chunk\r\nSubject: chunk\r\n\r\n" + b"".join(lines)


def chunks(content, pieces):
    """BDAT commands with their bytes, pipelined: the last one alone says LAST."""
    cuts = [0] + sorted(random.Random(pieces).sample(range(1, len(content)), pieces - 1)) + [len(content)]
    for i in range(pieces):
        piece = content[cuts[i]:cuts[i + 1]]
        yield b"BDAT %d%s\r\n" % (len(piece), b" LAST" if i == pieces - 1 else b"") + piece


def send_chunks(address, content, pieces):
    with Client(address, timeout=60) as client:
        assert "CHUNKING" in client.hello().lines
        assert [r.code for r in client.pipeline(ENVELOPE)] == [250, 250]
        for chunk in chunks(content, pieces):
            client.send(chunk)
        assert [client.reply().code for _ in range(pieces)] == [250] * pieces


def relayed(transaction):
    return transaction.content[transaction.content.index(b"X-Ledger: "):]


@pytest.mark.parametrize("offers", [True, False], ids=["chunking", "data"])
@pytest.mark.parametrize("size,pieces", [(500, 1), (5000, 40), (200000, 3), (3 << 20, 100)])
def test_in_by_chunks_and_out(posthorn, size, pieces, offers):
    sink = Sink(extensions=["PIPELINING", "8BITMIME", "SIZE 104857600"] + ["CHUNKING"] * offers)
    mta = posthorn(mx_port=sink.port)
    content = message(size, size)
    send_chunks(mta.trusted, content, pieces)
    [got] = sink.wait(1, 60)
    assert relayed(got) == content
    whole = f"BDAT {len(got.content)} LAST"
    said = [line for session in sink.sessions for line in session.lines if line == "DATA" or line.startswith("BDAT")]
    assert said == ([whole] if offers and size >= 65536 else ["DATA"])
    mta.wait_empty()
    sink.close()


def test_a_message_without_a_last_line_end(mta, sink):
    send_chunks(mta.trusted, message(500, 1) + b"no end", 4)
    assert relayed(sink.wait(1)[0]).endswith(b"no end\r\n")
    mta.wait_empty()


def test_chunking_can_be_switched_off(posthorn):
    sink = Sink(extensions=["PIPELINING", "CHUNKING"])
    mta = posthorn({"relay": {"chunking-from": "0"}}, mx_port=sink.port)
    content = b"X-Ledger: off\r\n\r\n" + b"x\r\n" * 40000
    send_chunks(mta.trusted, content, 2)
    assert relayed(sink.wait(1)[0]) == content
    assert [line for session in sink.sessions for line in session.lines][-1] == "DATA"
    mta.wait_empty()
    sink.close()


def test_into_a_mailbox(mta):
    content = message(3000, 7)
    with Client(mta.mx) as client:
        client.hello()
        client.pipeline(["MAIL FROM:<a@far.test>", "RCPT TO:<alice@local.test>"])
        client.send(b"".join(chunks(content, 20)))
        assert [client.reply().code for _ in range(20)] == [250] * 20
    [mail] = mta.wait_mails("alice")
    assert mail.endswith(content.replace(b"\r\n", b"\n"))
