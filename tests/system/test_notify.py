"""What senders ask to be told (RFC 3461): passed on to who knows it, kept here where the way ends, silent where nobody asked."""
import pytest

from client import Client
from dsn import find
from sink import Sink
from waiting import wait_for

EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 104857600", "ENHANCEDSTATUSCODES", "DSN")
CONTENT = b"Message-Id: <asked@local.test>\r\nSubject: asked\r\nX-Colour: blue\r\n\r\nbody of it\r\n"


@pytest.fixture
def knowing():
    """A next hop that offers DSN."""
    sink = Sink(extensions=EXTENSIONS)
    yield sink
    sink.close()


def submit(mta, mail="", rcpt="", to=("someone@far.test",), content=CONTENT, sender="alice@local.test"):
    with Client(mta.trusted) as client:
        assert "DSN" in client.hello().lines
        replies = client.pipeline([f"MAIL FROM:<{sender}>{mail}"] + [f"RCPT TO:<{r}>{rcpt}" for r in to] + ["DATA"])
        assert [r.code for r in replies[:-1]] == [250] * (1 + len(to)), replies
        client.send(client.content(content))
        return client.reply()


def test_passed_on_word_for_word(posthorn, knowing):
    mta = posthorn(mx_port=knowing.port)
    submit(mta, " RET=HDRS ENVID=QQ+2B1+20x", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Some+2BOne@Far.test")
    [got] = knowing.wait(1)
    assert got.mail_line.endswith(" RET=HDRS ENVID=QQ+2B1+20x"), got.mail_line
    assert "RCPT TO:<someone@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Some+2BOne@Far.test" in knowing.sessions[0].lines
    mta.wait_empty()
    assert mta.mails("alice") == [], "the next hop tells the sender from here on"


def test_nothing_asked_nothing_added_but_the_address(posthorn, knowing):
    mta = posthorn(mx_port=knowing.port)
    submit(mta)
    [got] = knowing.wait(1)
    assert "RET=" not in got.mail_line and "ENVID=" not in got.mail_line
    assert "RCPT TO:<someone@far.test> ORCPT=rfc822;someone@far.test" in knowing.sessions[0].lines
    mta.wait_empty()
    assert mta.mails("alice") == []


def test_relayed_to_who_sends_no_such_reports(mta, sink):
    submit(mta, " RET=FULL ENVID=QQ+2B1", " NOTIFY=SUCCESS ORCPT=rfc822;Some+2BOne@Far.test", to=["someone@far.test"])
    [got] = sink.wait(1)
    assert "ENVID" not in got.mail_line and not [line for line in sink.sessions[0].lines if "NOTIFY" in line or "ORCPT" in line]
    [dsn] = find(mta.wait_mails("alice"))
    fields = dsn.recipient("someone@far.test")
    assert (fields["Action"], fields["Status"][0]) == ("relayed", "2")
    assert fields["Original-Recipient"] == "rfc822; Some+One@Far.test"
    assert dsn.message["Original-Envelope-Id"] == "QQ+1"
    assert dsn.mail["In-Reply-To"] == "<asked@local.test>" and dsn.mail["References"] == "<asked@local.test>"
    assert "X-Colour: blue" in dsn.original and "body of it" not in dsn.original
    mta.wait_log(r"sender delivery status notification: \w+")
    mta.wait_empty()


def test_delivered_to_a_mailbox(mta):
    submit(mta, " ENVID=box", " NOTIFY=SUCCESS,FAILURE", to=["bob@local.test", "alice@local.test"])
    mta.wait_mails("bob")
    wait_for(lambda: find(mta.mails("alice")))
    mta.wait_empty()
    [dsn] = find(mta.mails("alice"))
    assert [dsn.recipient(who)["Action"] for who in ("bob@local.test", "alice@local.test")] == ["delivered", "delivered"]
    assert dsn.message["Original-Envelope-Id"] == "box"
    assert b"Return-Path: <>" in [m for m in mta.mails("alice") if b"multipart/report" in m][0]


def test_never_means_never(mta, sink):
    sink.on("RCPT", None, "550 5.1.1 nobody")
    submit(mta, rcpt=" NOTIFY=NEVER")
    submit(mta, rcpt=" NOTIFY=NEVER", to=["bob@local.test"])
    mta.wait_log(r"to=<someone@far\.test>.*status=bounced")
    mta.wait_log(r": no notification is wanted, to=<someone@far\.test>")
    mta.wait_mails("bob")
    mta.wait_empty()
    assert mta.mails("alice") == []
    mta.stop()
    done = mta.command("posthorn", "queue", "audit", mta.log, seconds=60)
    assert done.returncode == 0 and "0 deleted before, 1 not to be told" in done.stdout, done.stdout


@pytest.mark.parametrize("ret,whole", [("FULL", True), ("HDRS", False)])
def test_failure_with_as_much_as_was_wanted(mta, sink, ret, whole):
    content = CONTENT + "acht bit: äöü\r\n.\r\n--x\r\n".encode()
    sink.on("DOT", None, "554 5.6.0 no")
    submit(mta, f" BODY=8BITMIME RET={ret} ENVID=e", " NOTIFY=FAILURE", content=content)
    mail, = mta.wait_mails("alice")
    [dsn] = find([mail])
    assert dsn.recipient("someone@far.test")["Action"] == "failed"
    assert dsn.message["Original-Envelope-Id"] == "e"
    assert (content.replace(b"\r\n", b"\n") in mail) == whole
    assert "X-Colour: blue" in dsn.original
    mta.wait_empty()


def test_delay_only_where_wanted(posthorn, sink):
    mta = posthorn({"queue": {"retry": ["300ms"], "delay-warning": "1s"}})
    sink.on("RCPT", None, "450 4.2.1 later")
    submit(mta, " ENVID=quiet", " NOTIFY=SUCCESS,FAILURE")
    submit(mta, " ENVID=loud", " NOTIFY=DELAY")
    [dsn] = find(mta.wait_mails("alice"))
    assert dsn.message["Original-Envelope-Id"] == "loud"
    assert dsn.recipient("someone@far.test")["Action"] == "delayed"
    sink.forget_rules()
    wait_for(lambda: len(find(mta.mails("alice"))) == 2)        # the quiet one: relayed
    mta.wait_empty()
    assert sorted(d.message["Original-Envelope-Id"] for d in find(mta.mails("alice"))) == ["loud", "quiet"]


def test_a_notification_is_never_answered(posthorn, knowing):
    mta = posthorn(mx_port=knowing.port)
    submit(mta, " RET=HDRS", " NOTIFY=SUCCESS", sender="", to=["someone@far.test", "bob@local.test"])
    [got] = knowing.wait(1)
    assert got.sender == ""
    mta.wait_mails("bob")
    mta.wait_empty()
    assert len(mta.mails("bob")) == 1 and mta.mails("alice") == []
