"""As whom a user who has logged in may write, and what is added to what he sends."""
import smtplib

import pytest

from certificates import Authority
from logins import PASSWORD, connect, password_file
from posthorn import HOSTNAME, merged


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def start(posthorn, authority, tmp_path):
    """A function that starts a posthorn with these settings of submission; the table of senders is tmp_path/senders."""
    certificate, key = authority.issue("main", HOSTNAME)
    (tmp_path / "passwords").write_text(password_file())
    (tmp_path / "senders").write_text("# who\ninfo@local.test\tbob,\n\talice\n@shop.test carol\n")

    def begin(submission=None):
        settings = {"tls main": {"certificate": [str(certificate)], "key": [str(key)]}, "listener submission": {"tls": ["main"]},
                    "submission": {"users": f"file:{tmp_path}/passwords", **(submission or {})}}
        return posthorn(merged(settings, {}))

    return begin


def message(sender, more=""):
    return f"From: {sender}\r\n{more}Subject: x\r\n\r\nhello\r\n".encode()


def send(client, path, header, **more):
    """The code of the reply that decided."""
    try:
        client.sendmail(path, ["alice@local.test"], message(header, **more))
        return 250
    except smtplib.SMTPSenderRefused as refused:
        return refused.smtp_code
    except smtplib.SMTPDataError as refused:
        return refused.smtp_code


def test_own_and_foreign(start, authority, tmp_path):
    mta = start({"senders": f"file:{tmp_path}/senders"})
    with connect(mta, authority) as client:
        client.login("bob", PASSWORD)
        for path, header, code in (("bob@local.test", "Bob <bob@local.test>", 250), ("bob+x@local.test", "bob@local.test", 250),
                                   ("info@local.test", "info@local.test", 250), ("", "bob@local.test", 250),
                                   ("alice@local.test", "bob@local.test", 553), ("x@shop.test", "x@shop.test", 553),
                                   ("bob@local.test", "alice@local.test", 550), ("bob@local.test", "bob@local.test, x@far.test", 550),
                                   ("bob@local.test", "x@far.test <bob@local.test>", 550)):
            assert send(client, path, header) == code, (path, header)
    with connect(mta, authority) as client:
        client.login("carol", PASSWORD)
        assert send(client, "anything@shop.test", "anything@shop.test") == 250
        (tmp_path / "senders").write_text("@shop.test bob\n")
        assert send(client, "anything@shop.test", "anything@shop.test") == 553
        (tmp_path / "senders").unlink()
        assert send(client, "anything@shop.test", "anything@shop.test") == 451
        assert send(client, "carol@local.test", "carol@local.test") == 250
    mta.wait_log(r"NOQUEUE: reject: MAIL from unknown\[127\.0\.0\.1\]: 553 5\.7\.1 <alice@local\.test>: Sender address rejected: not owned by user bob")
    mta.wait_log(r"[0-9A-Z]+: reject: END-OF-MESSAGE from .*: 550 5\.7\.1 <alice@local\.test>: From address rejected: not owned by user bob")
    assert len(mta.wait_mails("alice", 6)) == 6


@pytest.mark.parametrize("rights, lines", [("warn", 2), ("off", 0)])
def test_only_warned_or_not_watched(start, authority, rights, lines):
    mta = start({"sender-rights": rights})
    with connect(mta, authority) as client:
        client.login("bob", PASSWORD)
        assert send(client, "alice@local.test", "alice@local.test") == 250
    assert mta.wait_mails("alice")
    assert mta.words(1000000).count(": reject_warning: ") == lines


def test_completed_and_hidden(start, authority):
    mta = start({"hide-client": True})
    with connect(mta, authority) as client:
        client.login("bob", PASSWORD)
        assert send(client, "bob@local.test", "bob@local.test") == 250
        assert send(client, "bob@local.test", "bob@local.test", more="Date: Mon, 30 Nov 2026 00:00:00 +0000\r\nMessage-ID: <x@y>\r\n") == 250
    mails = [mail.decode() for mail in mta.wait_mails("alice", 2)]
    bare = next(mail for mail in mails if "<x@y>" not in mail)
    header = bare.split("\n\n")[0]
    assert header.count("\nDate: ") == 1 and f"@{HOSTNAME}>" in header.split("\nMessage-ID: <")[1].split("\n")[0]
    for mail in mails:
        received = mail[mail.index("Received: "):].split("\nFrom: ")[0]
        assert received.startswith(f"Received: by {HOSTNAME} (posthorn) with ESMTPSA id ")
        assert "127.0.0.1" not in mail and "client.example" not in mail
    full = next(mail for mail in mails if "<x@y>" in mail)
    assert (full.count("\nDate: "), full.count("Message-ID")) == (1, 1)
