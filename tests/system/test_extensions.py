"""Extensions of SMTP that a postmaster steers: ETRN, what is withheld from whom, and XFORWARD of a content filter."""
import pytest

from client import Client


@pytest.fixture
def patient(posthorn, sink):
    """Mail for far.test waits a day once it has failed."""
    return posthorn({"queue": {"retry": ["1d"]}, "smtpd": {"etrn-domains": ["far.test", "nowhere.test"]}})


def send(address, recipient, *before):
    with Client(address) as client:
        client.hello()
        for line in (*before, "MAIL FROM:<alice@local.test>", f"RCPT TO:<{recipient}>"):
            assert client.command(line).code == 250, line
        client.command("DATA")
        return client.command("Subject: x\r\n\r\n.").text.split()[-1]


def test_etrn_sends_what_waits(patient, sink):
    sink.on("RCPT", None, "451 4.2.0 come back later", 2)
    for domain in ("far.test", "other.test"):
        queue_id = send(patient.trusted, f"someone@{domain}")
        patient.wait_log(queue_id + r": to=<.*status=deferred")
    with Client(patient.trusted) as client:
        client.hello()
        assert client.command("ETRN far.test").code == 250
        [transaction] = sink.wait(1)
        assert [r.lower() for r in transaction.recipients] == ["someone@far.test"]
        assert client.command("ETRN nowhere.test").code == 250
        assert client.command("ETRN other.test").code == 459
    patient.wait_log(r"retry @far\.test: 1 message to be tried at once")
    patient.wait_log(r"retry @nowhere\.test: 0 messages to be tried at once")
    assert "someone@other.test" in patient.mailq()


def test_withheld(posthorn, sink):
    mta = posthorn({"clients poor": {"networks": ["127.0.0.0/8"], "withhold": ["CHUNKING", "DSN"]}, "listener trusted": {"withhold": ["SMTPUTF8"]}})
    with Client(mta.trusted) as client:
        offered = str(client.hello().lines)
        assert not any(word in offered for word in ("CHUNKING", "DSN", "SMTPUTF8")) and "8BITMIME" in offered
        assert client.command("MAIL FROM:<alice@local.test> RET=FULL").code == 555
        assert client.command("MAIL FROM:<alice@local.test> SMTPUTF8").code == 555
    with Client(mta.mx) as client:
        assert "SMTPUTF8" in str(client.hello().lines)


def test_xforward_stands_in_the_log(posthorn, sink):
    mta = posthorn({"smtpd": {"xforward-networks": ["127.0.0.1/32"]}})
    queue_id = send(mta.trusted, "someone@far.test", "XFORWARD NAME=client.example ADDR=198.51.100.9", "XFORWARD IDENT=4Xq1")
    assert mta.wait_log(queue_id + r": client=unknown\[127\.0\.0\.1\], orig_queue_id=4Xq1, orig_client=client\.example\[198\.51\.100\.9\]$")
