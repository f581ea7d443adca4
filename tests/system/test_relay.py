"""Mail goes out: by MX, with its bytes unchanged, and what becomes of it when the other side does not want it."""
import pytest

from client import Client, send
from dsn import find
from ledger import lf
from sink import Action, Sink
from waiting import wait_for


def relayed(transaction):
    at = transaction.content.index(b"X-Ledger: ")
    return transaction.content[at:]


def test_by_mx_byte_for_byte(mta, sink, dns, ledger):
    name, content = ledger.message(8000)
    reply = send(mta.trusted, "alice@local.test", ["someone@far.test"], content)
    [got] = sink.wait(1)
    assert relayed(got) == content
    assert (got.sender, got.recipients, got.extended) == ("alice@local.test", ["someone@far.test"], True)
    assert got.content.startswith(b"Received: from ")
    assert got.content.count(b"Received: ") == 1
    assert ("far.test", "MX") in dns.seen
    queue_id = reply.text.split()[-1]
    mta.wait_log(queue_id + r": to=<someone@far\.test>, relay=mx\.far\.test\[127\.0\.0\.1\]:\d+, .*dsn=2\.\d\.\d, status=sent \(")
    mta.wait_empty()


def test_a_trusted_client_may_relay_on_the_public_port_too(mta, sink, ledger):
    name, content = ledger.message()
    send(mta.mx, "alice@local.test", ["someone@far.test"], content)
    assert relayed(sink.wait(1)[0]) == content


@pytest.mark.parametrize("megabytes", [1, 20])
def test_large_message(mta, sink, ledger, megabytes):
    name, content = ledger.message(megabytes << 20)
    send(mta.trusted, "alice@local.test", ["someone@far.test"], content, timeout=120)
    assert relayed(sink.wait(1, 60)[0]) == content
    mta.wait_empty()


def test_dots_and_8bit_travel(mta, sink, ledger):
    content = "X-Ledger: d\r\nSubject: d\r\n\r\n.\r\n..äöü\r\n.ß\r\n".encode()
    with Client(mta.trusted) as client:
        client.hello()
        assert client.transaction("alice@local.test", ["someone@far.test"], content, " BODY=8BITMIME")[-1].code == 250
    [got] = sink.wait(1)
    assert relayed(got) == content
    assert "BODY=8BITMIME" in got.mail_line


def test_helo_when_ehlo_is_unknown(mta, sink, ledger):
    sink.on("EHLO", None, "502 5.5.2 what?")
    name, content = ledger.message()
    send(mta.trusted, "alice@local.test", ["someone@far.test"], content)
    [got] = sink.wait(1)
    assert not got.extended and relayed(got) == content


def test_without_pipelining(mta, ledger, dns, posthorn):
    with_little = Sink(extensions=())
    mta = posthorn(mx_port=with_little.port)
    for _ in range(3):
        send(mta.trusted, "alice@local.test", ["a@far.test", "b@far.test"], ledger.message()[1])
    assert sorted(with_little.wait(3)[0].recipients) == ["a@far.test", "b@far.test"]
    with_little.close()


def test_one_connection_serves_many_messages(mta, sink, ledger):
    with Client(mta.trusted) as client:
        client.hello()
        for _ in range(30):
            name, content = ledger.message()
            client.transaction("alice@local.test", ["someone@far.test"], content)
            ledger.promise(name, ["someone@far.test"])
    sink.wait(30)
    ledger.check(ledger.look(sinks=[sink]))
    assert len(sink.sessions) < 25


def test_local_and_remote_recipients_of_one_message(mta, sink, ledger):
    name, content = ledger.message()
    recipients = ["bob@local.test", "someone@far.test"]
    send(mta.trusted, "alice@local.test", recipients, content)
    ledger.promise(name, recipients)
    sink.wait(1)
    mta.wait_mails("bob")
    mta.wait_empty()
    ledger.check(ledger.look(mta.maildirs(), [sink]))


@pytest.mark.parametrize("domain,status", [("missing.example", "5.1.2"), ("null.test", "5.1.10")])
def test_no_such_domain_comes_back(mta, ledger, domain, status):
    send(mta.trusted, "alice@local.test", ["who@" + domain], ledger.message()[1])
    [dsn] = find(mta.wait_mails("alice"))
    fields = dsn.recipient("who@" + domain)
    assert (fields["Action"], fields["Status"]) == ("failed", status)
    mta.wait_empty()


def test_refused_recipient_comes_back(mta, sink, ledger):
    sink.on("RCPT", "nobody@", "550 5.1.1 <nobody@far.test>: no such user here")
    name, content = ledger.message(headers="X-Colour: blue\r\n")
    send(mta.trusted, "alice@local.test", ["nobody@far.test"], content)
    mail, = mta.wait_mails("alice")
    [dsn] = find([mail])
    fields = dsn.recipient("nobody@far.test")
    assert (fields["Action"], fields["Status"]) == ("failed", "5.1.1")
    assert fields["Diagnostic-Code"].startswith("smtp; 550 5.1.1") and "no such user here" in fields["Diagnostic-Code"]
    assert "X-Colour: blue" in dsn.original
    assert "nobody@far.test" in dsn.text
    assert mail.startswith(b"Return-Path: <>\n")
    mta.wait_log(r"sender non-delivery notification: \w+")
    mta.wait_log(r"to=<nobody@far\.test>, .*dsn=5\.1\.1, status=bounced \(")
    mta.wait_empty()


def test_refused_message_comes_back(mta, sink, ledger):
    sink.on("DOT", None, "554 5.6.0 I do not like that")
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    [dsn] = find(mta.wait_mails("alice"))
    assert dsn.recipient("someone@far.test")["Status"] == "5.6.0"


def test_a_bounce_of_a_bounce_goes_to_nobody(mta, sink, ledger):
    """The null reverse-path gets no notification; the postmaster is told, or the log is, and the queue gets empty."""
    sink.on("RCPT", None, "550 5.1.1 nobody")
    send(mta.trusted, "", ["someone@far.test"], ledger.message()[1])
    mta.wait_log(r"to=<someone@far\.test>.*status=bounced")
    mta.wait_empty()
    assert not [t for t in sink.transactions if t.sender == ""]
    assert mta.mails("bob") == []


def test_temporary_refusal_waits_and_then_goes(mta, sink, ledger):
    sink.on("RCPT", None, "450 4.2.1 come back later", times=3)
    name, content = ledger.message()
    send(mta.trusted, "alice@local.test", ["someone@far.test"], content)
    wait_for(lambda: "come back later" in mta.mailq(), 10, lambda: "the reason in mailq: " + mta.mailq())
    assert relayed(sink.wait(1)[0]) == content
    mta.wait_empty()
    assert mta.mails("alice") == []
    mta.wait_log(r"dsn=4\.2\.1, status=deferred \(.*come back later")
    mta.wait_log(r"to=<someone@far\.test>.*status=sent")


def test_each_recipient_has_its_own_fate(mta, sink, ledger):
    sink.on("RCPT", "never@", "550 5.1.1 no")
    sink.on("RCPT", "later@", "450 4.2.1 later", times=2)
    name, content = ledger.message()
    send(mta.trusted, "alice@local.test", ["now@far.test", "never@far.test", "later@far.test"], content)
    ledger.promise(name, ["now@far.test", "later@far.test"])
    sink.wait(2)
    [dsn] = find(mta.wait_mails("alice"))
    assert [r["Final-Recipient"] for r in dsn.recipients] == ["rfc822; never@far.test"]
    mta.wait_empty()
    ledger.check(ledger.look(sinks=[sink]))


def test_mail_for_a_dead_host_waits(posthorn, ledger):
    mta = posthorn({"queue": {"retry": ["1h"]}})
    send(mta.trusted, "alice@local.test", ["someone@dead.test"], ledger.message()[1])
    text = wait_for(lambda: (t := mta.mailq()) and "(" in t and t, 20, "a reason in mailq")
    assert "someone@dead.test" in text and "alice@local.test" in text
    assert text.splitlines()[-1] == "-- 1 Kbytes in 1 Request."
    mta.wait_log(r"to=<someone@dead\.test>, .*status=deferred")


@pytest.mark.parametrize("domain", ["servfail.test", "silent.test"])
def test_dns_trouble_is_no_answer(posthorn, ledger, dns, sink, domain):
    mta = posthorn()
    send(mta.trusted, "alice@local.test", ["someone@" + domain], ledger.message()[1])
    mta.wait_log(r"to=<someone@" + domain + ">, .*dsn=4.*status=deferred")
    dns.zones[domain] = {"MX": [(10, "mx.far.test")]}
    mta.posthorn("queue", "retry", "all")       # a destination in trouble is left alone for a minute
    sink.wait(1)


def test_the_second_mx_takes_over(mta, dns, sink, ledger):
    dns.zones["far.test"] = {"MX": [(10, "mx.dead.test"), (20, "mx.far.test")]}
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    sink.wait(1)


def test_no_mx_means_the_address_itself(mta, dns, sink, ledger):
    dns.zones["far.test"] = {"A": ["127.0.0.1"]}
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    sink.wait(1)


@pytest.mark.parametrize("verb,action", [("CONNECT", Action.CLOSE), ("EHLO", Action.RESET), ("MAIL", Action.CLOSE),
                                         ("DATA", Action.CLOSE), ("CONNECT", "421 4.3.2 busy"), ("MAIL", "421 4.3.2 busy")])
def test_a_peer_that_gives_up_is_tried_again(mta, sink, ledger, verb, action):
    sink.on(verb, None, action, times=1)
    name, content = ledger.message()
    send(mta.trusted, "alice@local.test", ["someone@far.test"], content)
    mta.wait_log("status=deferred")
    mta.posthorn("queue", "retry", "all")
    assert relayed(sink.wait(1)[0]) == content
    mta.wait_empty()
    assert len(sink.accepted()) == 1


def test_a_lost_reply_to_the_dot_waits_longer(posthorn, sink, ledger):
    """Nobody knows whether the peer has it: that ladder is a longer one, and the log says why."""
    mta = posthorn({"queue": {"retry": ["200ms"], "retry-unknown": ["1h"]}})
    sink.on("DOT", None, Action.CLOSE, times=1)
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    mta.wait_log("may be sent more than once")
    assert "someone@far.test" in mta.mailq()
    assert sink.accepted() == []


def test_expired_mail_comes_back(posthorn, ledger, sink):
    mta = posthorn({"queue": {"retry": ["300ms"], "expire": "2s", "bounce-expire": "2s"}})
    sink.on("RCPT", None, "450 4.2.1 later")
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    [dsn] = find(mta.wait_mails("alice", seconds=30))
    assert dsn.recipient("someone@far.test")["Action"] == "failed"
    mta.wait_log(r"from=<alice@local\.test>, status=expired, returned to sender")
    mta.wait_empty()


def test_late_mail_is_announced_once(posthorn, ledger, sink):
    mta = posthorn({"queue": {"retry": ["300ms"], "delay-warning": "1s"}})
    sink.on("RCPT", None, "450 4.2.1 later")
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    [dsn] = find(mta.wait_mails("alice", seconds=30))
    assert dsn.recipient("someone@far.test")["Action"] == "delayed"
    seen = len(mta.wait_log("status=deferred"))
    mta.wait_log("status=deferred", count=seen + 4)
    assert len(mta.mails("alice")) == 1
    mta.wait_log(r"sender delay notification: \w+")


def test_smart_host(posthorn, sink, ledger, dns):
    mta = posthorn({"relay": {"smart-host": f"[127.0.0.1]:{sink.port}"}}, mx_port=9)
    send(mta.trusted, "alice@local.test", ["someone@anywhere.example"], ledger.message()[1])
    assert sink.wait(1)[0].recipients == ["someone@anywhere.example"]
    assert not [q for q in dns.seen if q[0] == "anywhere.example"]


def test_private_targets_need_leave(posthorn, sink, ledger):
    mta = posthorn({"relay": {"allow-private-targets": False}})
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    mta.wait_log(r"to=<someone@far\.test>, .*status=(deferred|bounced)")
    assert sink.sessions == []


def test_mx_that_is_ourselves(mta, dns, ledger):
    dns.zones["loop.test"] = {"MX": [(10, "mx.test.example")]}
    dns.zones["mx.test.example"] = {"A": ["127.0.0.1"]}
    send(mta.trusted, "alice@local.test", ["someone@loop.test"], ledger.message()[1])
    [dsn] = find(mta.wait_mails("alice"))
    assert dsn.recipient("someone@loop.test")["Status"] == "5.4.6"
