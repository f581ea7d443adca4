"""Starting, stopping, changing the configuration, and dying: what was promised stays promised."""
import signal
import threading

import pytest

from client import Client, Closed, send
from posthorn import PATIENCE, alive
from waiting import wait_for

KINDS = ("smtpd-mx-0", "smtpd-trusted-0", "queue", "relay", "mda", "worker", "lookup", "logger")


def test_restart_keeps_the_queue(posthorn, ledger, sink):
    mta = posthorn({"queue": {"retry": ["1h"]}})
    sink.on("RCPT", None, "450 4.2.1 come back later")
    names = []
    for _ in range(5):
        name, content = ledger.message(3000)
        send(mta.trusted, "alice@local.test", ["someone@far.test"], content)
        ledger.promise(name, ["someone@far.test"])
        names.append(name)
    mta.wait_log("status=deferred", count=5)
    before = sorted(m["queue_id"] for m in mta.queue())
    mta.stop()
    sink.forget_rules()
    mta.restart()
    assert sorted(m["queue_id"] for m in mta.queue()) == before
    mta.posthorn("queue", "retry", "all")
    sink.wait(5)
    mta.wait_empty()
    ledger.check(ledger.look(sinks=[sink]))


def test_power_failure_keeps_what_was_promised(posthorn, ledger, sink):
    """Everything dies at once with mail in the ring; afterwards each message is there, and ids are new ones."""
    mta = posthorn(arguments=["--paused"])
    ids = set()
    for _ in range(50):
        name, content = ledger.message(3000)
        recipients = ["bob@local.test", "someone@far.test"]
        ids.add(send(mta.trusted, "alice@local.test", recipients, content).text.split()[-1])
        ledger.promise(name, recipients)
    mta.kill_all()
    mta.arguments = []
    mta.restart()
    mta.wait_empty(60)
    ledger.check(ledger.look(mta.maildirs(), [sink]))
    name, content = ledger.message()
    assert send(mta.trusted, "alice@local.test", ["bob@local.test"], content).text.split()[-1] not in ids
    assert len(ids) == 50


def test_unfinished_mail_is_not_delivered_after_a_power_failure(posthorn, ledger):
    mta = posthorn()
    with Client(mta.mx) as client:
        client.hello()
        client.pipeline(["MAIL FROM:<a@far.test>", "RCPT TO:<bob@local.test>", "DATA"])
        client.send(ledger.message()[1])
        mta.kill_all()
    mta.restart()
    mta.wait_empty()
    assert mta.mails("bob") == []


class Load(threading.Thread):
    """Light load until told to stop. A transaction that was not answered with 250 is sent again as another message."""

    def __init__(self, mta, ledger):
        super().__init__(daemon=True)
        self.mta, self.ledger = mta, ledger
        self.ended = threading.Event()
        self.accepted = 0

    def run(self):
        client = None
        while not self.ended.wait(0.01):
            try:
                if client is None:
                    client = Client(self.mta.trusted, timeout=15)
                    client.hello()
                name, content = self.ledger.message(2000)
                recipients = ["bob@local.test", "someone@far.test"]
                replies = client.transaction("alice@local.test", recipients, content)
                if len(replies) == 5 and replies[-1].code == 250:
                    self.ledger.promise(name, recipients)
                    self.accepted += 1
                elif replies[-1].code == 421:
                    client = None
            except (OSError, Closed, AssertionError, ValueError):
                client = None


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_process_is_replaced(posthorn, ledger, sink, kind):
    mta = posthorn()
    load = Load(mta, ledger)
    load.start()
    wait_for(lambda: load.accepted >= 20, 20 * PATIENCE, "the first messages")
    pid = mta.kill_one(kind)
    accepted = load.accepted
    wait_for(lambda: not alive(pid), 10, "the end of the killed process")
    wait_for(lambda: [p for p in mta.pids(kind) if p != pid], 20 * PATIENCE, f"another {kind}")
    wait_for(lambda: load.accepted >= accepted + 20, 30 * PATIENCE, "service after the kill")
    load.ended.set()
    load.join(30)
    mta.wait_empty(60)
    ledger.check(ledger.look(mta.maildirs(), [sink]), extra=1)


def test_a_stuck_process_is_replaced(posthorn, ledger):
    """SIGSTOP: it lives and says nothing. The supervisor notices and ends it."""
    mta = posthorn()
    [pid] = mta.pids("relay-0") or mta.pids("relay")
    mta.kill_one("relay", signal.SIGSTOP)
    wait_for(lambda: not alive(pid), 40 * PATIENCE, "the end of the stuck relay")
    wait_for(lambda: mta.pids("relay"), 20 * PATIENCE, "another relay")


def test_reload_takes_a_new_configuration(posthorn, ledger):
    mta = posthorn({"trusted-networks": ["127.0.0.200/32"]})
    assert not accepts(mta, "carol@second.test")
    mta.write_users(["alice", "bob", "carol"])
    mta.configure({"domain second.test": {"users": f"file:{mta.directory}/users", "maildir": f"{mta.directory}/mail/%u"}})
    mta.reload()
    wait_for(lambda: accepts(mta, "carol@second.test"), 20 * PATIENCE, "the new domain")
    send(mta.mx, "a@far.test", ["carol@second.test"], ledger.message()[1])
    mta.wait_mails("carol")


def accepts(mta, recipient):
    with Client(mta.mx) as client:
        client.hello()
        replies = client.pipeline(["MAIL FROM:<a@far.test>", f"RCPT TO:<{recipient}>", "RSET"])
        return replies[1].code == 250


def test_a_bad_configuration_changes_nothing(posthorn, ledger):
    mta = posthorn({"message-size": "1MiB"})
    good = mta.conf.read_text()
    mta.conf.write_text(good.replace('message-size = "1MiB"', 'message-size = "2MiB"') + 'flux-capacitor = "on"\n')
    done = mta.command("posthorn", "reload")
    assert done.returncode != 0 and "flux-capacitor" in done.stdout + done.stderr
    mta.reload()
    mta.wait_log("flux-capacitor")
    with Client(mta.mx) as client:
        assert "SIZE 1048576" in client.hello().lines
    send(mta.mx, "a@far.test", ["alice@local.test"], ledger.message()[1])
    mta.wait_mails("alice")


def test_reload_by_command_says_when_it_is_done(posthorn):
    mta = posthorn({"message-size": "1MiB"})
    mta.configure({"message-size": "2MiB"})
    mta.posthorn("reload")
    with Client(mta.mx) as client:
        assert "SIZE 2097152" in client.hello().lines


def test_a_session_keeps_what_it_began_with(posthorn):
    mta = posthorn({"message-size": "1MiB"})
    with Client(mta.mx) as client:
        mta.configure({"message-size": "2MiB"})
        mta.posthorn("reload")
        assert "SIZE 1048576" in client.hello().lines


def test_stop_lets_a_running_message_finish(posthorn, ledger):
    mta = posthorn()
    name, content = ledger.message(4000)
    with Client(mta.mx) as client:
        client.hello()
        assert client.pipeline(["MAIL FROM:<a@far.test>", "RCPT TO:<bob@local.test>", "DATA"])[-1].code == 354
        client.send(content[:2000])
        mta.process.send_signal(signal.SIGTERM)
        client.send(content[2000:] + b".\r\n")
        try:
            code = client.reply().code
        except Closed:
            code = 421
    assert code in (250, 421, 451)
    mta.stop()
    mta.restart()
    if code == 250:
        ledger.promise(name, ["bob@local.test"])
    mta.wait_empty()
    found = ledger.look(mta.maildirs())
    ledger.check(found)
    assert len(found.copies) == (1 if code == 250 else 0)


def test_a_second_posthorn_keeps_off_the_queue(posthorn, tmp_path):
    """Two daemons on one queue directory would be the end of it: the second one gives up or waits."""
    mta = posthorn()
    first = mta.process
    mta.spawn()
    second = mta.process
    mta.process = first
    try:
        assert second.wait(40) != 0
    finally:
        if second.poll() is None:
            second.kill()
            second.wait(10)
    with Client(mta.mx) as client:
        assert client.hello().code == 250


def test_a_bad_configuration_does_not_start(posthorn):
    mta = posthorn()
    mta.stop()
    mta.conf.write_text(mta.conf.read_text() + 'flux-capacitor = "on"\n')
    mta.spawn()
    status = mta.process.wait(20)
    mta.process = None
    assert status == 78
    assert "flux-capacitor" in mta.errors.read_text()
