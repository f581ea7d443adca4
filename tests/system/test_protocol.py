"""SMTP at its edges, both sides: limits to the byte, content above and below the size that goes by file, peers that leave in the
middle, and servers whose answers are easily given to the wrong recipient."""
import random

import pytest

from client import Client, Closed, send
from dsn import find
from posthorn import serves
from sink import Action, Sink
from waiting import wait_for

INLINE = 256 * 1024             # content above this goes to queue by file


def filled(ledger, size):
    """A message of exactly so many bytes, in lines with dots in front of some."""
    name, content = ledger.message(200)
    lines = [content]
    left = size - len(content)
    while left > 100:
        line = (b"." if left % 3 == 0 else b"") + b"x" * 66 + b"\r\n"
        lines.append(line)
        left -= len(line)
    lines.append(b"y" * (left - 2) + b"\r\n")
    content = b"".join(lines)
    assert len(content) == size
    ledger.note(name, content)
    return name, content


# -- the server's side --------------------------------------------------------------------------------------------------


def test_the_size_limit_to_the_byte(posthorn, ledger):
    limit = 65536
    mta = posthorn({"message-size": limit})
    with Client(mta.trusted) as client:
        assert f"SIZE {limit}" in client.hello().lines
        assert client.command(f"MAIL FROM:<alice@local.test> SIZE={limit + 1}").code == 552
        assert client.command("MAIL FROM:<alice@local.test> SIZE=99999999999999999999").code == 552
        assert client.command(f"MAIL FROM:<alice@local.test> SIZE={limit}").code == 250
        client.command("RSET")
        for size, code in ((limit, 250), (limit + 1, 552), (limit - 1, 250)):
            name, content = filled(ledger, size)
            assert client.transaction("alice@local.test", ["bob@local.test"], content)[-1].code == code
            if code == 250:
                ledger.promise(name, ["bob@local.test"])
    mta.wait_mails("bob", 2)
    mta.wait_empty()
    found = ledger.look(mta.maildirs())
    ledger.check(found)
    assert len(found.copies) == 2


def test_sizes_around_the_file(mta, sink, ledger):
    """From memory, from the file, and where the trace header makes the difference; locally and by relay, byte for byte."""
    recipients = ["bob@local.test", "someone@far.test"]
    sizes = [65535, 65536, 65537, INLINE - 300, INLINE - 1, INLINE, INLINE + 1, 3 * INLINE + 1]
    with Client(mta.trusted) as client:
        client.hello()
        for size in sizes:
            name, content = filled(ledger, size)
            assert client.transaction("alice@local.test", recipients, content)[-1].code == 250
            ledger.promise(name, recipients)
    sink.wait(len(sizes))
    mta.wait_mails("bob", len(sizes))
    mta.wait_empty()
    ledger.check(ledger.look({"bob@local.test": mta.maildir("bob")}, [sink]))


def test_large_content_of_nothing_but_dots(mta, sink, ledger):
    """The worst case of dot stuffing, across all boundaries of blocks and packets."""
    name, content = ledger.message(100)
    content += b".\r\n" * 200000
    ledger.note(name, content)
    send(mta.trusted, "alice@local.test", ["bob@local.test", "someone@far.test"], content, timeout=60)
    ledger.promise(name, ["bob@local.test", "someone@far.test"])
    sink.wait(1, 60)
    mta.wait_empty()
    ledger.check(ledger.look({"bob@local.test": mta.maildir("bob")}, [sink]))


def files_of(mta):
    return sorted(p.relative_to(mta.directory) for p in (mta.directory / "queue").rglob("*") if p.is_file())


@pytest.mark.parametrize("how", ["close", "abort", "dot cut"])
def test_a_client_that_leaves_in_large_content_leaves_nothing(mta, ledger, how):
    before = files_of(mta)
    name, content = filled(ledger, 2 << 20)
    with Client(mta.trusted) as client:
        client.hello()
        client.pipeline(["MAIL FROM:<alice@local.test>", "RCPT TO:<bob@local.test>", "DATA"])
        client.send(client.content(content)[:-5] if how != "dot cut" else client.content(content)[:-1])
        if how == "abort":
            client.abort()
    mta.wait_log("lost connection after DATA")
    name, content = filled(ledger, 2 << 20)
    send(mta.trusted, "alice@local.test", ["bob@local.test"], content)
    ledger.promise(name, ["bob@local.test"])
    mta.wait_mails("bob")
    mta.wait_empty()
    found = ledger.look(mta.maildirs())
    ledger.check(found)
    assert len(found.copies) == 1
    wait_for(lambda: len(files_of(mta)) <= len(before), 20, lambda: f"no more files than before: {files_of(mta)}")


def test_queue_dies_in_large_content(mta, ledger):
    """The file is a dead queue's: no 250, and the next message is taken by the next queue."""
    name, content = filled(ledger, 2 << 20)
    with Client(mta.trusted, timeout=60) as client:
        client.hello()
        client.pipeline(["MAIL FROM:<alice@local.test>", "RCPT TO:<bob@local.test>", "DATA"])
        wire = client.content(content)
        client.send(wire[:1 << 20])
        mta.kill_one("queue")
        client.send(wire[1 << 20:])
        assert client.reply().code == 451
    wait_for(lambda: serves(mta.trusted), 20, "a new queue")
    send(mta.trusted, "alice@local.test", ["bob@local.test"], content)
    ledger.promise(name, ["bob@local.test"])
    mta.wait_mails("bob")
    mta.wait_empty()
    ledger.check(ledger.look(mta.maildirs()))


def test_more_recipients_than_one_message_may_have(posthorn, ledger):
    """RFC 5321 4.5.3.1.10: 452 for those beyond the limit, and the message for the others. All of it in one write."""
    users = [f"u{i}" for i in range(100)]
    mta = posthorn({"message-recipients": 100}, users=users)
    recipients = [f"{u}@local.test" for u in users] + [f"u{i % 100}+{i}@local.test" for i in range(100)]
    name, content = ledger.message()
    with Client(mta.trusted) as client:
        client.hello()
        replies = client.transaction("u0@local.test", recipients, content)
    assert [r.code for r in replies] == [250] + [250] * 100 + [452] * 100 + [354, 250]
    ledger.promise(name, recipients[:100])
    wait_for(lambda: sum(len(mta.mails(u)) for u in users) == 100, 60, "a hundred deliveries")
    ledger.check(ledger.look(mta.maildirs()))


def test_a_session_of_beginnings_ends(posthorn):
    mta = posthorn({"smtpd": {"max-junk": 10, "max-errors": 5}})
    with Client(mta.mx) as client:
        with pytest.raises(Closed):
            for _ in range(20):
                client.hello()
                assert client.command("MAIL FROM:<a@far.test>").code in (250, 421)


# -- the client's side --------------------------------------------------------------------------------------------------


def test_pipelined_answers_reach_their_recipients(posthorn, sink, ledger):
    """Of 250 recipients each one's fate is in its name; the server wants no more than 40 in one transaction, and hangs up twice."""
    mta = posthorn({"queue": {"retry": ["300ms"]}})
    dice = random.Random(7)
    recipients = [f"{dice.choice(['good', 'bad', 'worse'])}{i}@far.test" for i in range(250)]
    sink.on("RCPT", "<bad", "550-5.1.1 no\n5.1.1 such user")
    sink.on("RCPT", "<worse", "553 5.1.3 odd")
    sink.on("RCPT", None, lambda session, line: "452 4.5.3 enough" if len(session.now.recipients) >= 40 else "250 2.1.5 ok")
    sink.on("DATA", None, "421 4.3.2 not now", times=1)
    name, content = ledger.message()
    send(mta.trusted, "alice@local.test", recipients, content)
    good = [r for r in recipients if r.startswith("good")]
    ledger.promise(name, good)
    mta.wait_empty(60)
    ledger.check(ledger.look(sinks=[sink]))
    assert sorted(r for t in sink.accepted() for r in t.recipients) == sorted(good)
    told = {g["Final-Recipient"].split("; ")[1]: g["Status"] for dsn in find(mta.mails("alice")) for g in dsn.recipients}
    assert told == {r: "5.1.1" if r.startswith("bad") else "5.1.3" for r in recipients if not r.startswith("good")}


def test_a_server_that_hangs_up_between_messages(mta, sink, ledger):
    """Each second message of a connection finds it closed: no attempt is lost over that, and no message is doubled."""
    sink.on("MAIL", None, lambda session, line: Action.CLOSE if session.lines.count(line) > 1 else "250 2.1.0 ok")
    with Client(mta.trusted) as client:
        client.hello()
        for _ in range(20):
            name, content = ledger.message(500)
            client.transaction("alice@local.test", ["someone@far.test"], content)
            ledger.promise(name, ["someone@far.test"])
    sink.wait(20)
    mta.wait_empty()
    ledger.check(ledger.look(sinks=[sink]))
    assert not [line for line in mta.log_lines() if "status=deferred" in line]


@pytest.mark.parametrize("verb,first,reply", [("CONNECT", b"220 sink\r\n", "220 again"), ("EHLO", b"250 sink\r\n", "250 again"),
                                              ("RCPT", b"", "150 wait"), ("RCPT", b"", "350 more"), ("MAIL", b"250-ok\r\n", "550 no"),
                                              ("DATA", b"", "250 ok"), ("DATA", b"354 go\r\n", "250 done"), ("MAIL", b"", "25 ok")])
def test_answers_that_make_no_sense_decide_nothing(posthorn, sink, ledger, verb, first, reply):
    def answer(session, line):
        session.out.append(first)
        return reply

    mta = posthorn({"queue": {"retry": ["200ms"]}})
    sink.on(verb, None, answer, times=3)
    name, content = ledger.message()
    send(mta.trusted, "alice@local.test", ["someone@far.test", "another@far.test"], content)
    ledger.promise(name, ["someone@far.test", "another@far.test"])
    mta.wait_log("status=deferred")
    wait_for(lambda: (mta.posthorn("queue", "retry", "all", check=False), len(sink.accepted()) >= 1)[1], 30, "the message")
    mta.wait_empty()
    ledger.check(ledger.look(sinks=[sink]))
    assert mta.mails("alice") == []


def test_8bit_without_a_word_goes_to_a_plain_server(posthorn, ledger):
    """BODY was not said: the sender vouches for nothing, and nothing is gained by a bounce."""
    plain = Sink(extensions=("PIPELINING",))
    mta = posthorn(mx_port=plain.port)
    name, content = ledger.message(eightbit=True)
    send(mta.trusted, "alice@local.test", ["someone@far.test"], content)
    ledger.promise(name, ["someone@far.test"])
    plain.wait(1)
    ledger.check(ledger.look(sinks=[plain]))
    plain.close()


def test_declared_8bit_is_returned_by_a_plain_server(posthorn, ledger):
    plain = Sink(extensions=("PIPELINING",))
    mta = posthorn(mx_port=plain.port)
    with Client(mta.trusted) as client:
        client.hello()
        client.transaction("alice@local.test", ["someone@far.test"], ledger.message(eightbit=True)[1], " BODY=8BITMIME")
    [dsn] = find(mta.wait_mails("alice"))
    assert dsn.recipient("someone@far.test")["Status"] == "5.6.3"
    assert plain.transactions == []
    plain.close()


# -- DNS ----------------------------------------------------------------------------------------------------------------


def test_an_answer_that_only_fits_into_tcp(mta, dns, sink, ledger):
    dns.zones["many.test"] = {"MX": [(100 + i, f"a-rather-long-name-of-a-host-{i}.many.test") for i in range(60)] + [(5, "mx.far.test")]}
    send(mta.trusted, "alice@local.test", ["someone@many.test"], ledger.message()[1])
    sink.wait(1)
    assert dns.seen.count(("many.test", "MX")) >= 2      # by UDP, then by TCP


def test_an_mx_that_is_an_alias(mta, dns, sink, ledger):
    dns.zones["far.test"] = {"MX": [(10, "alias.far.test")]}
    dns.zones["alias.far.test"] = {"CNAME": "mx.far.test"}
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    sink.wait(1)


def test_a_loop_of_aliases_is_trouble(mta, dns, sink, ledger):
    dns.zones["round.test"] = {"CNAME": "about.test"}
    dns.zones["about.test"] = {"CNAME": "round.test"}
    send(mta.trusted, "alice@local.test", ["someone@round.test"], ledger.message()[1])
    mta.wait_log(r"to=<someone@round\.test>, .*dsn=4\.4\.3, status=deferred")
    assert mta.mails("alice") == []


def test_resolver_comes_back(posthorn, dns, sink, ledger):
    """Nobody answers when we start: mail waits. The server comes back at the same place: mail goes."""
    from fake_dns import FakeDns

    port = dns.port
    dns.close()
    mta = posthorn({"queue": {"retry": ["300ms"]}})
    name, content = ledger.message()
    send(mta.trusted, "alice@local.test", ["someone@far.test"], content)
    ledger.promise(name, ["someone@far.test"])
    mta.wait_log(r"to=<someone@far\.test>, .*dsn=4\.4\.3, status=deferred")
    back = FakeDns(dns.zones, port=port)
    mta.posthorn("queue", "retry", "all")
    sink.wait(1, 60)
    mta.wait_empty()
    ledger.check(ledger.look(sinks=[sink]))
    assert mta.mails("alice") == []
    back.close()
