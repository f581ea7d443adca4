"""The postmaster's commands: what waits and why, and steering it."""
import re
import threading

import pytest

from client import Client, send
from posthorn import DOMAIN
from waiting import wait_for

PATIENT = {"queue": {"retry": ["1h"]}}


@pytest.fixture
def patient(posthorn):
    """A posthorn that does not try again by itself."""
    return posthorn(PATIENT)


def waiting(mta, recipient, sender="alice@local.test", size=1000, ledger=None):
    """Sends a message and waits until its first attempt has failed; returns its queue id."""
    content = ledger.message(size)[1]
    queue_id = send(mta.trusted, sender, [recipient], content).text.split()[-1]
    mta.wait_log(queue_id + r": to=<" + re.escape(recipient) + ">.*status=deferred")
    return queue_id


def test_an_empty_queue(patient):
    assert patient.mailq() == "Mail queue is empty\n"
    assert patient.queue() == []


def test_mailq_looks_as_postfix_does(patient, ledger, sink):
    sink.on("RCPT", None, "450 4.2.1 come back later")
    queue_id = waiting(patient, "someone@far.test", ledger=ledger)
    lines = patient.mailq().splitlines()
    assert re.fullmatch(r"-+Queue ID-+ +--Size-- +-+Arrival Time-+ +-+Sender/Recipient-+", lines[0]), lines[0]
    assert re.match(queue_id + r"[ *!] +\d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d +alice@local\.test$", lines[1]), lines[1]
    assert lines[2].strip().startswith("(") and "come back later" in lines[2]
    assert lines[3].strip() == "someone@far.test"
    assert re.fullmatch(r"-- \d+ Kbytes in 1 Request\.", lines[-1])


def test_the_list_as_json(patient, ledger, sink):
    sink.on("RCPT", None, "450 4.2.1 come back later")
    queue_id = waiting(patient, "someone@far.test", ledger=ledger)
    [message] = patient.queue()
    assert message["queue_id"] == queue_id
    assert message["sender"] == "alice@local.test"
    [recipient] = message["recipients"]
    assert recipient["address"] == "someone@far.test"
    assert "come back later" in str(recipient)


def test_count(patient, ledger, sink):
    sink.on("RCPT", None, "450 4.2.1 come back later")
    assert patient.posthorn("queue", "count") == "0 messages, 0 KiB\n"
    for size in (1000, 300000):
        waiting(patient, "someone@far.test", size=size, ledger=ledger)
    found = re.fullmatch(r"2 messages, (\d+) KiB\n", patient.posthorn("queue", "count"))
    assert found and 290 <= int(found.group(1)) <= 310


def test_show_and_cat(patient, ledger, sink):
    sink.on("RCPT", None, "450 4.2.1 come back later")
    name, content = ledger.message(300000)
    queue_id = send(patient.trusted, "alice@local.test", ["someone@far.test"], content).text.split()[-1]
    wait_for(lambda: "come back later" in patient.mailq(), 20, "the deferral")
    shown = patient.posthorn("queue", "show", queue_id)
    assert "someone@far.test" in shown and "come back later" in shown
    whole = patient.posthorn("queue", "cat", queue_id).encode()
    assert content.replace(b"\r\n", b"\n") in whole.replace(b"\r\n", b"\n")


def test_hold_keeps_and_release_lets_go(posthorn, ledger, sink):
    mta = posthorn({"queue": {"retry": ["300ms"]}})
    sink.on("RCPT", None, "450 4.2.1 come back later")
    queue_id = waiting(mta, "someone@far.test", ledger=ledger)
    mta.posthorn("queue", "hold", queue_id)
    wait_for(lambda: f"{queue_id}!" in mta.mailq(), 10, "the mark of a held message")
    mta.wait_log(queue_id + ": placed on hold")
    sink.forget_rules()
    probe = send(mta.trusted, "alice@local.test", ["probe@far.test"], ledger.message()[1])
    assert probe.code == 250
    sink.wait(1)                    # the destination is fine, and its destination's queue moves
    assert [t.recipients for t in sink.accepted()] == [["probe@far.test"]]
    mta.posthorn("queue", "release", queue_id)
    sink.wait(2)
    mta.wait_log(queue_id + ": released from hold")
    mta.wait_empty()


def test_retry_goes_at_once(patient, ledger, sink):
    sink.on("RCPT", None, "450 4.2.1 come back later")
    queue_id = waiting(patient, "someone@far.test", ledger=ledger)
    sink.forget_rules()
    patient.posthorn("queue", "retry", queue_id)
    sink.wait(1)
    patient.wait_empty()


def test_retry_counts_while_an_attempt_is_under_way(patient, ledger, sink):
    """The next hop was mended after it had been asked: its old answer is not the last word for an hour."""
    asked, mended = threading.Event(), threading.Event()

    def answer(session, line):
        asked.set()
        mended.wait(20)
        return "450 4.2.1 come back later"

    sink.on("RCPT", None, answer, times=1)
    queue_id = send(patient.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1]).text.split()[-1]
    assert asked.wait(20)
    patient.posthorn("queue", "retry", queue_id)
    patient.wait_log(queue_id + ": requeued")
    mended.set()
    sink.wait(1)
    patient.wait_empty()
    assert len([line for line in patient.log_lines() if queue_id in line and "status=deferred" in line]) == 1


def test_delete_forgets(patient, ledger, sink):
    sink.on("RCPT", None, "450 4.2.1 come back later")
    queue_id = waiting(patient, "someone@far.test", ledger=ledger)
    patient.posthorn("queue", "delete", queue_id)
    patient.wait_empty()
    patient.wait_log(queue_id + ": removed")
    assert patient.mails("alice") == [], "the sender of a deleted message is told nothing"


@pytest.mark.parametrize("which,left", [("@far.test", 1), ("all", 0)])
def test_several_at_once(patient, ledger, sink, which, left):
    sink.on("RCPT", None, "450 4.2.1 come back later")
    for recipient in ("one@far.test", "two@far.test", "three@other.test"):
        waiting(patient, recipient, ledger=ledger)
    patient.posthorn("queue", "delete", which)
    wait_for(lambda: len(patient.queue()) == left, 10, lambda: patient.mailq())


def test_unknown_ids_and_verbs_are_refused(patient):
    assert patient.posthorn("queue", "show", "0000000000000", check=False) == ""
    for words in (["queue", "delete", "0000000000000"], ["queue", "hold", "not an id"], ["queue", "explode"], ["explode"]):
        assert patient.command("posthorn", *words).returncode != 0, words


def test_status_names_every_process(patient):
    text = patient.posthorn("status")
    for name in ("logger", "lookup", "queue", "relay", "mda", "smtpd-mx", "smtpd-trusted", "smtpd-submission"):
        assert name in text, f"{name} is not in {text}"


def test_check_finds_every_mistake(patient, tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text('hostname = "mx.test.example"\nmessage-size = "banana"\nqueue { retry = {"never"} }\nrelay { mx-port = 99999 }\n'
                   'flux-capacitor = "on"\n')
    patient_conf, patient.conf = patient.conf, bad
    done = patient.command("posthorn", "check")
    patient.conf = patient_conf
    assert done.returncode != 0
    said = done.stdout + done.stderr
    for line, setting in ((2, "message-size"), (3, "retry"), (4, "mx-port"), (5, "flux-capacitor")):
        assert re.search(rf"{re.escape(str(bad))}:{line}: .*{setting}", said), f"{setting} is not in {said}"
    assert patient.command("posthorn", "check").returncode == 0


def test_config_show_can_be_read_back(patient, tmp_path):
    shown = patient.posthorn("config", "show")
    assert f'domain "{DOMAIN}"' in shown
    copy = tmp_path / "copy.conf"
    copy.write_text(shown)
    patient_conf, patient.conf = patient.conf, copy
    again = patient.posthorn("config", "show")
    patient.conf = patient_conf
    assert again == shown
    assert "5d" in patient.posthorn("config", "show", "--defaults")


def test_stop_by_command(patient):
    patient.posthorn("stop")
    assert patient.process.wait(20) == 0
    patient.process = None
    assert patient.command("posthorn", "status").returncode != 0


def test_a_session_of_its_own_does_not_block_the_commands(patient):
    with Client(patient.mx) as client:
        client.hello()
        assert patient.mailq() == "Mail queue is empty\n"
