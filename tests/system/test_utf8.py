"""Mail outside ASCII (RFC 6531): to a Maildir, to a next hop that takes it, to one that does not, and what its sender hears (RFC 6533)."""
import email
import email.policy

import pytest

from client import Client
from sink import Sink

EXTENSIONS = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8")
CONTENT = "Message-Id: <utf8@local.test>\r\nSubject: grün\r\nFrom: jürgen@bücher.example\r\n\r\nKörper\r\n".encode()
ASCII = b"Message-Id: <ascii@local.test>\r\nSubject: green\r\n\r\nbody\r\n"


@pytest.fixture
def worldly():
    """A next hop that offers SMTPUTF8."""
    sink = Sink(extensions=EXTENSIONS)
    yield sink
    sink.close()


def submit(mta, sender, to, content=CONTENT, mail=" SMTPUTF8 BODY=8BITMIME", rcpt=""):
    with Client(mta.trusted) as client:
        assert "SMTPUTF8" in client.hello().lines
        replies = client.pipeline([f"MAIL FROM:<{sender}>{mail}"] + [f"RCPT TO:<{r}>{rcpt}" for r in to] + ["DATA"])
        assert [r.code for r in replies[:-1]] == [250] * (1 + len(to)), replies
        client.send(client.content(content))
        assert client.reply().code == 250


def reports(mails):
    return [email.message_from_bytes(m, policy=email.policy.default) for m in mails if b"multipart/report" in m]


def test_to_a_maildir(posthorn):
    mta = posthorn(users=("alice", "jürgen"))
    submit(mta, "änne@bücher.example", ["jürgen@local.test"])
    [mail] = mta.wait_mails("jürgen")
    assert mail.startswith("Return-Path: <änne@bücher.example>\nDelivered-To: jürgen@local.test\n".encode()), mail[:200]
    assert b" with UTF8SMTP id " in mail and "for <jürgen@local.test>;".encode() in mail
    assert mail.endswith("Subject: grün\nFrom: jürgen@bücher.example\n\nKörper\n".encode())
    mta.wait_log(r"to=<jürgen@local\.test>, .*status=sent")
    mta.wait_empty()
    mta.stop()
    done = mta.command("posthorn", "queue", "audit", mta.log, seconds=60)
    assert done.returncode == 0, done.stdout


def test_to_a_domain_by_its_u_label(posthorn, tmp_path):
    """The configuration names domains by their A-labels."""
    ours = {"users": f"file:{tmp_path}/posthorn0/users", "maildir": f"{tmp_path}/posthorn0/mail/%u"}
    mta = posthorn({"domain xn--bcher-kva.test": ours})
    submit(mta, "a@local.test", ["alice@BÜCHER.test", "bob@xn--bcher-kva.test"], mail=" SMTPUTF8")
    [mail] = mta.wait_mails("alice")
    assert mail.split(b"\n")[1] == "Delivered-To: alice@bücher.test".encode()
    mta.wait_mails("bob")
    mta.wait_empty()


def test_to_a_next_hop_that_takes_it(posthorn, worldly, dns):
    dns.zones["xn--bcher-kva.example"] = {"MX": [(10, "mx.far.test")]}
    mta = posthorn(mx_port=worldly.port)
    submit(mta, "änne@local.test", ["jürgen@bücher.example"])
    [got] = worldly.wait(1)
    assert got.mail_line.startswith("MAIL FROM:<änne@local.test>") and " SMTPUTF8" in got.mail_line and "BODY=8BITMIME" in got.mail_line
    assert got.recipients == ["jürgen@bücher.example"]
    assert ("xn--bcher-kva.example", "MX") in dns.seen
    assert got.content.endswith(CONTENT)
    mta.wait_empty()


def test_said_but_not_needed(mta, sink):
    submit(mta, "alice@local.test", ["someone@far.test"], ASCII, " SMTPUTF8")
    [got] = sink.wait(1)
    assert "SMTPUTF8" not in got.mail_line and got.content.endswith(ASCII)
    mta.wait_empty()
    assert mta.mails("alice") == []


def test_only_the_recipient_who_needs_it_comes_back(mta, sink):
    submit(mta, "alice@local.test", ["jürgen@far.test", "someone@far.test"], ASCII, " SMTPUTF8")
    [got] = sink.wait(1)
    assert got.recipients == ["someone@far.test"]
    [mail] = reports(mta.wait_mails("alice"))
    parts = list(mail.iter_parts())
    assert [p.get_content_type() for p in parts] == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    [fields] = [dict(g.items()) for g in parts[1].get_payload()][1:]
    assert fields["Final-Recipient"] == "utf-8; j\\x{FC}rgen@far.test"
    assert (fields["Action"], fields["Status"]) == ("failed", "5.6.7")
    mta.wait_log(r"dsn=5\.6\.7, status=bounced \(server mx\.far\.test.*does not take mail outside ASCII")
    mta.wait_empty()


def test_a_sender_outside_ascii_gets_a_report_in_utf8(posthorn, sink):
    mta = posthorn(users=("alice", "änne"))
    submit(mta, "änne@local.test", ["jürgen@far.test"], mail=" SMTPUTF8 BODY=8BITMIME RET=FULL ENVID=x")
    [mail] = mta.wait_mails("änne")
    for words in ("To: änne@local.test\n", "Content-Type: message/global-delivery-status\n", "Final-Recipient: utf-8; jürgen@far.test\n",
                  "Content-Type: message/global\n", "Original-Envelope-Id: x\n", "Status: 5.6.7\n"):
        assert words.encode() in mail, mail.decode()
    assert CONTENT.replace(b"\r\n", b"\n") in mail
    assert mail.startswith("Return-Path: <>\nDelivered-To: änne@local.test\n".encode())
    assert sink.accepted() == []
    mta.wait_empty()


def test_survives_a_restart(posthorn, worldly):
    worldly.on("MAIL", None, "451 4.3.0 later", times=1)
    mta = posthorn({"queue": {"retry": ["2s"]}}, mx_port=worldly.port)
    submit(mta, "änne@local.test", ["jürgen@far.test"])
    mta.wait_log("status=deferred")
    mta.stop()
    mta.restart()
    [got] = worldly.wait(1)
    assert " SMTPUTF8" in got.mail_line and got.recipients == ["jürgen@far.test"]
    mta.wait_empty()
