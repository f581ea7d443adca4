"""Mail comes in: what is taken, what is refused, and what lies in the Maildir afterwards."""
import re

import pytest

from client import Client, send
from ledger import lf
from posthorn import HOSTNAME

STRANGERS = {"trusted-networks": ["127.0.0.200/32"]}


def split_added(mail):
    """(what the MTA put in front, the message as it was sent)."""
    at = mail.index(b"X-Ledger: ")
    return mail[:at].decode(), mail[at:]


def test_maildir_byte_for_byte(mta, ledger):
    name, content = ledger.message(5000)
    reply = send(mta.mx, "sender@far.test", ["alice@local.test"], content)
    assert reply.code == 250
    [mail] = mta.wait_mails("alice")
    added, original = split_added(mail)
    assert original == lf(content)
    lines = added.splitlines()
    assert lines[0] == "Return-Path: <sender@far.test>"
    assert lines[1] == "Delivered-To: alice@local.test"
    assert lines[2].startswith("Received: from ")
    queue_id = re.search(r"\b([0-9A-Za-z]{13})\b", reply.text).group(1)
    assert queue_id in added and HOSTNAME in added
    mta.wait_log(queue_id + ": removed")


def test_maildir_has_only_finished_files(mta, ledger):
    send(mta.mx, "a@far.test", ["bob@local.test"], ledger.message()[1])
    mta.wait_mails("bob")
    mta.wait_empty()
    assert sorted(p.name for p in mta.maildir("bob").iterdir()) == ["cur", "new", "tmp"]
    assert list((mta.maildir("bob") / "tmp").iterdir()) == []
    [file] = (mta.maildir("bob") / "new").iterdir()
    match = re.fullmatch(r"\d+\.M[0-9a-fA-Z]+R\d+\.[^,/]+,S=(\d+)", file.name)
    assert match and int(match.group(1)) == file.stat().st_size


def test_unknown_user_is_refused_at_rcpt(mta):
    with Client(mta.mx) as client:
        client.hello()
        assert client.command("MAIL FROM:<a@far.test>").code == 250
        reply = client.command("RCPT TO:<nobody@local.test>")
    assert (reply.code, reply.status) == (550, "5.1.1")
    mta.wait_log(r"NOQUEUE: reject: RCPT from .*\[127\.0\.0\.1\]: 550 5\.1\.1 <nobody@local\.test>")


def test_strangers_may_not_relay(posthorn, sink):
    mta = posthorn(STRANGERS)
    with Client(mta.mx) as client:
        client.hello()
        client.command("MAIL FROM:<a@far.test>")
        reply = client.command("RCPT TO:<someone@far.test>")
        assert (reply.code, reply.status) == (554, "5.7.1") or (reply.code, reply.status) == (550, "5.7.1")
        assert client.command("RCPT TO:<alice@local.test>").code == 250
    assert sink.transactions == []


@pytest.mark.parametrize("recipient", ["someone%far.test@local.test", "@local.test:someone@far.test", "far.test!someone@local.test",
                                       "someone@far.test@local.test", '"someone@far.test"@local.test', "someone@[127.0.0.1]"])
def test_strangers_may_not_relay_by_tricks(posthorn, sink, recipient):
    mta = posthorn(STRANGERS)
    with Client(mta.mx) as client:
        client.hello()
        client.command("MAIL FROM:<a@far.test>")
        assert client.command(f"RCPT TO:<{recipient}>").code >= 500
    assert sink.transactions == []


@pytest.mark.parametrize("role", ["trusted", "submission"])
def test_the_other_listeners_do_not_relay_for_strangers_either(posthorn, role):
    mta = posthorn(STRANGERS)
    client = Client(getattr(mta, role))
    if client.greeting.code == 220:
        client.hello()
        replies = client.pipeline(["MAIL FROM:<a@far.test>", "RCPT TO:<someone@far.test>"])
        assert replies[-1].code >= 500, replies
    client.close()


def test_postmaster_is_always_taken(posthorn, ledger):
    mta = posthorn(STRANGERS)
    with Client(mta.mx) as client:
        client.hello()
        name, content = ledger.message()
        replies = client.transaction("a@far.test", ["postmaster", "Postmaster@local.test"], content)
        assert [r.code for r in replies] == [250, 250, 250, 354, 250]
    mails = mta.wait_mails("alice")
    assert all(split_added(mail)[1] == lf(content) for mail in mails)


def test_null_sender(mta, ledger):
    send(mta.mx, "", ["alice@local.test"], ledger.message()[1])
    [mail] = mta.wait_mails("alice")
    assert mail.startswith(b"Return-Path: <>\n")


def test_subaddress_reaches_the_user(mta, ledger):
    send(mta.mx, "a@far.test", ["alice+lists@local.test"], ledger.message()[1])
    [mail] = mta.wait_mails("alice")
    assert b"Delivered-To: alice+lists@local.test\n" in mail


def test_dots_and_empty_lines(mta, ledger):
    content = b"X-Ledger: dots\r\nSubject: dots\r\n\r\n.\r\n..\r\n...\r\n.text\r\n\r\n\r\n. \r\n.\r\n"
    ledger.note("dots", content)
    send(mta.mx, "a@far.test", ["alice@local.test"], content)
    [mail] = mta.wait_mails("alice")
    assert split_added(mail)[1] == lf(content)


def test_8bit_content(mta, ledger):
    name, content = ledger.message(3000, eightbit=True)
    with Client(mta.mx) as client:
        assert "8BITMIME" in client.hello().lines
        assert client.transaction("a@far.test", ["alice@local.test"], content, " BODY=8BITMIME")[-1].code == 250
    [mail] = mta.wait_mails("alice")
    assert split_added(mail)[1] == lf(content)


def test_two_users_of_one_message(mta, ledger):
    name, content = ledger.message()
    send(mta.mx, "a@far.test", ["alice@local.test", "bob@local.test"], content)
    ledger.promise(name, ["alice@local.test", "bob@local.test"])
    mta.wait_mails("alice")
    mta.wait_mails("bob")
    mta.wait_empty()
    ledger.check(ledger.look(mta.maildirs()))


@pytest.mark.parametrize("megabytes", [1, 20])
def test_large_message(mta, ledger, megabytes):
    name, content = ledger.message(megabytes << 20)
    send(mta.mx, "a@far.test", ["alice@local.test"], content, timeout=120)
    [mail] = mta.wait_mails("alice", seconds=60)
    assert split_added(mail)[1] == lf(content)
    mta.wait_empty()


def test_too_large_is_refused_early_and_late(posthorn, ledger):
    mta = posthorn({"message-size": "1MiB"})
    with Client(mta.mx) as client:
        assert "SIZE 1048576" in client.hello().lines
        assert client.command("MAIL FROM:<a@far.test> SIZE=2000000").status == "5.3.4"
        replies = client.transaction("a@far.test", ["alice@local.test"], ledger.message(1200000)[1])
        assert (replies[-1].code, replies[-1].status) == (552, "5.3.4")


def test_a_hundred_messages_on_one_connection(mta, ledger):
    with Client(mta.mx) as client:
        client.hello()
        for _ in range(100):
            name, content = ledger.message(2000)
            assert client.transaction("a@far.test", ["bob@local.test"], content)[-1].code == 250
            ledger.promise(name, ["bob@local.test"])
    mta.wait_mails("bob", 100)
    mta.wait_empty()
    ledger.check(ledger.look(mta.maildirs()))


def test_nothing_stays_of_a_message_that_was_not_finished(mta, ledger):
    for size in (2000, 1 << 20):
        client = Client(mta.mx)
        client.hello()
        client.pipeline(["MAIL FROM:<a@far.test>", "RCPT TO:<alice@local.test>", "DATA"])
        client.send(ledger.message(size)[1])
        client.abort()
    mta.wait_log("lost connection after DATA", count=2)
    assert "Mail queue is empty" in mta.mailq()
    assert mta.mails("alice") == []
