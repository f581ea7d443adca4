"""What the log says, in the shapes that log readers know, and that it never gets in the way of mail."""
import json
import os
import re
import signal

import pytest

from client import Client, Closed, send
from posthorn import PATIENCE
from waiting import wait_for

# pflogsumm 1.1.5, as far as it decides which line is what.
STAMP = r"^\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ "
SPLIT = re.compile(STAMP + r"postfix(?:/(?:smtps|submission))?/([^\[:]*).*?: ([^:\s]+)")
CLIENT = re.compile(r": \w+: client=(.+?)(,|$)")
QUEUED = re.compile(r": (\w+): from=<([^>]*)>, size=(\d+), nrcpt=(\d+) \(queue active\)$")
DELIVERY = re.compile(r"to=<([^>]*)>, (?:orig_to=<[^>]*>, )?relay=([^,]+), (?:conn_use=[^,]+, )?delay=([^,]+), (?:delays=[^,]+, )?"
                      r"(?:dsn=[^,]+, )?status=(\S+)(.*)$")
REJECT = re.compile(r"NOQUEUE: reject: RCPT from \S+\[[\d.]+\]: [45][50][04] [45]\.\d\.\d+ <[^>]*>: .*; from=<[^>]*> to=<[^>]*> "
                    r"proto=E?SMTP helo=<[^>]*>$")


def busy_hour(mta, sink, ledger):
    """A little of everything."""
    sink.on("RCPT", "nobody@", "550 5.1.1 no such user")
    sink.on("RCPT", "later@", "450 4.2.1 later", times=1)
    send(mta.trusted, "alice@local.test", ["bob@local.test", "now@far.test", "nobody@far.test", "later@far.test"], ledger.message()[1])
    with Client(mta.mx) as client:
        client.hello()
        client.pipeline(["MAIL FROM:<a@far.test>", "RCPT TO:<unknown@local.test>"])
    mta.wait_empty()
    mta.wait_log("bounced")


def test_lines_in_postfix_shape(mta, sink, ledger):
    busy_hour(mta, sink, ledger)
    mta.wait_log("reject: RCPT")
    lines = mta.log_lines()
    assert [line for line in lines if not re.match(STAMP, line)] == []
    mail = [line for line in lines if re.search(r" (client=|from=<|to=<|message-id=|removed)", line)]
    assert [line for line in mail if not SPLIT.match(line)] == []
    clients = [CLIENT.search(line).group(1) for line in lines if ": client=" in line]
    assert clients and all(re.fullmatch(r"\S+\[127\.0\.0\.1\]", who) for who in clients)
    assert [QUEUED.search(line) for line in lines if "(queue active)" in line and not QUEUED.search(line)] == []
    deliveries = [DELIVERY.search(line) for line in lines if ": to=<" in line]
    assert None not in deliveries
    fates = {match.group(1): match.group(4) for match in deliveries}
    assert fates["bob@local.test"] == "sent" and fates["nobody@far.test"] == "bounced" and fates["later@far.test"] == "sent"
    assert any(REJECT.search(line) for line in lines)
    assert any(re.search(r": message-id=<m1@ledger\.test>$", line) for line in lines)
    assert any(re.search(r"disconnect from \S+\[127\.0\.0\.1\] .*commands=\d+(/\d+)?$", line) for line in lines)


def test_each_message_ends_with_removed(mta, ledger):
    ids = [send(mta.mx, "a@far.test", ["bob@local.test"], ledger.message()[1]).text.split()[-1] for _ in range(20)]
    mta.wait_empty()
    for queue_id in ids:
        mta.wait_log(queue_id + ": removed$")


def test_session_numbers_tell_sessions_apart(mta):
    for _ in range(3):
        with Client(mta.mx) as client:
            client.hello()
            client.quit()
    mta.wait_log("disconnect from", count=3)
    numbers = [m.group(1) for m in mta.wait_log(r"smtpd\[(\d+)\]: disconnect from", count=3)]
    assert len(set(numbers)) == len(numbers)


def test_json_says_the_same(posthorn, sink, ledger):
    mta = posthorn({"log": {"format": "json"}})
    busy_hour(mta, sink, ledger)
    events = [json.loads(line) for line in mta.log_lines()]
    ids = [event["id"] for event in events]
    assert len(set(ids)) == len(ids) > 10
    deliveries = {(e["to"], e["status"], e["dsn"]) for e in events if e["event"] == "delivery"}
    assert deliveries >= {("bob@local.test", "sent", "2.0.0"), ("now@far.test", "sent", "2.0.0"), ("nobody@far.test", "bounced", "5.1.1"),
                          ("later@far.test", "deferred", "4.2.1"), ("later@far.test", "sent", "2.0.0")}
    assert [e["to"] for e in events if e["event"] == "reject"] == ["unknown@local.test"]


def test_foreign_text_is_escaped(mta):
    with Client(mta.mx) as client:
        client.command(b"EHLO evil\x1b[31m")
        client.command(b"MAIL FROM:<a@far.test>")
        client.command(b"RCPT TO:<unknown\xff@local.test>")
        client.quit()
    mta.wait_log("disconnect from")
    raw = mta.log.read_bytes()
    assert not re.search(rb"[^\x20-\x7e\n\t]", raw)


def test_lost_connections_and_errors(posthorn):
    mta = posthorn({"smtpd": {"max-errors": 3}})
    client = Client(mta.mx)
    client.hello()
    client.command("MAIL FROM:<a@far.test>")
    client.abort()
    mta.wait_log(r"lost connection after MAIL from \S+\[127\.0\.0\.1\]")
    with Client(mta.mx) as client:
        for _ in range(6):
            try:
                client.command("FLUX")
            except (Closed, OSError):
                break
    mta.wait_log(r"too many errors after \S+ from \S+\[127\.0\.0\.1\]")


def test_timeout_is_said_and_logged(posthorn):
    mta = posthorn({"smtpd": {"command-timeout": "1s"}})
    with Client(mta.mx) as client:
        client.hello()
        reply = client.reply()
        assert reply.code == 421
        assert client.closed()
    mta.wait_log(r"timeout after EHLO from \S+\[127\.0\.0\.1\]")


def send_many(mta, ledger, count):
    with Client(mta.mx) as client:
        client.hello()
        for _ in range(count):
            name, content = ledger.message(500)
            assert client.transaction("a@far.test", ["bob@local.test"], content)[-1].code == 250
            ledger.promise(name, ["bob@local.test"])


def test_a_stopped_logger_delays_nothing(mta, ledger):
    mta.kill_one("logger", signal.SIGSTOP)
    send_many(mta, ledger, 300)
    mta.wait_mails("bob", 300)
    ledger.check(ledger.look(mta.maildirs()))
    wait_for(lambda: [m for m in mta.log_lines() if "dropped" in m or "lost" in m] or "client=" in mta.log.read_text(), 60 * PATIENCE,
             "the log to go on")


def test_a_log_target_that_blocks_delays_nothing(posthorn, ledger, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)        # somebody has it open, and nobody reads
    try:
        mta = posthorn({"log": {"target": f"file:{pipe}"}})
        mta.expect_dirty_stop = True
        send_many(mta, ledger, 500)
        mta.wait_mails("bob", 500)
        ledger.check(ledger.look(mta.maildirs()))
    finally:
        os.set_blocking(held, False)
        try:
            while os.read(held, 1 << 16):
                pass
        except BlockingIOError:
            pass
        os.close(held)


@pytest.mark.parametrize("target", ["stderr"])
def test_log_on_stderr(posthorn, ledger, target):
    mta = posthorn({"log": {"target": target}})
    mta.log = mta.errors
    send(mta.mx, "a@far.test", ["bob@local.test"], ledger.message()[1])
    mta.wait_log(r"to=<bob@local\.test>.*status=sent")
