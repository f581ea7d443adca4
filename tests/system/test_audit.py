"""posthorn queue audit: every accepted recipient is somewhere, and what is nowhere is named."""
import gzip
import re
import subprocess

import pytest

from client import send
from waiting import wait_for

SMALL = {"queue": {"retry": ["1h"], "ring-segments": 8, "segment-size": "1MiB"}}
LONG_AGO = "Jan  1 00:00:00 mx.test.example postfix/queue[1]: the log begins here\n"


def audit(mta, *logs):
    return mta.command("posthorn", "queue", "audit", *logs, seconds=60)


def counts(text):
    return {word: int(number) for word, number in re.findall(r"^  (\w+) +(\d+)$", text, re.M)}


def accept(mta, ledger, recipients, size=2000, sender="alice@local.test"):
    reply = send(mta.trusted, sender, recipients, ledger.message(size)[1])
    assert reply.code == 250, reply
    return reply.text.split()[-1]


def everything(mta, ledger, sink):
    """Mail of each fate; returns the queue ids by what became of them."""
    sink.on("RCPT", "later", "450 4.2.1 come back later")
    sink.on("RCPT", "never", "550 5.1.1 no such user")
    ids = {
        "delivered": accept(mta, ledger, ["bob@local.test", "now@far.test"]),
        "half": accept(mta, ledger, ["bob@local.test", "later@far.test"]),
        "bounced": accept(mta, ledger, ["never@far.test", "bob@local.test"]),
        "late": accept(mta, ledger, ["later@far.test"]),
        "nobody": accept(mta, ledger, ["never@far.test"], sender=""),
        "large": accept(mta, ledger, ["later@far.test"], 400000),
        "deleted": accept(mta, ledger, ["later@far.test", "later2@far.test"]),
        "twice": accept(mta, ledger, ["later@far.test", "later@far.test"]),
        "quoted": accept(mta, ledger, ['"a>, \\"b"@far.test', '"later>, status=sent ("@far.test']),
    }
    for name in ("half", "late", "large", "deleted", "twice", "quoted"):
        mta.wait_log(ids[name] + ": to=<.*status=deferred")
    mta.posthorn("queue", "delete", ids["deleted"])
    for name in ("delivered", "bounced", "nobody", "deleted"):
        mta.wait_log(ids[name] + ": removed( event=.*)?$")
    mta.wait_log(ids["half"] + ": to=<bob@local.test>.*status=sent")
    mta.wait_log(ids["quoted"] + r': to=<"a>.*status=sent')
    wait_for(lambda: len(mta.mails("alice")) >= 1, 20, "the notification")
    return ids


def to_the_spool(mta, ledger):
    """Sends mail that waits until all that waited before has left the ring."""
    def files():
        return [p for p in (mta.directory / "queue/spool").glob("*/*") if p.parent.name != "large"]

    for _ in range(300):
        if len(files()) > 20:
            return
        accept(mta, ledger, ["later@far.test"], 60000)
    raise AssertionError("nothing leaves the ring")


def snapshot(mta):
    """Every byte below the queue directory, and when it was written."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
            for path in sorted((mta.directory / "queue").rglob("*"))}


@pytest.mark.parametrize("form", ["text", "json"])
def test_all_fates_are_accounted_for(posthorn, ledger, sink, form):
    mta = posthorn({**SMALL, "log": {"format": form, "event-ids": True}})
    if form == "json":
        sink.on("RCPT", "later", "450 4.2.1 come back later")
        sink.on("RCPT", "never", "550 5.1.1 no such user")
        deleted = accept(mta, ledger, ["later@far.test"])
        accept(mta, ledger, ["now@far.test", "never@far.test", "later@far.test"])
        wait_for(lambda: len(mta.mails("alice")) == 1, 20, "the notification")
        mta.posthorn("queue", "delete", deleted)
        wait_for(lambda: deleted not in mta.mailq(), 20, "a deletion")
        wanted = {"queued": 1, "delivered": 2, "bounced": 1, "expanded": 0, "deleted": 1, "missing": 0}
    else:
        everything(mta, ledger, sink)
        wanted = {"queued": 5, "delivered": 7, "bounced": 2, "expanded": 0, "deleted": 2, "missing": 0}
    mta.stop()
    before = snapshot(mta)
    done = audit(mta)
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(done.stdout) == wanted, done.stdout
    assert "conserved" in done.stdout and "log: 20" in done.stdout
    assert snapshot(mta) == before, "an audit writes nothing"


def test_mail_in_the_spool_and_after_a_power_failure(posthorn, ledger, sink):
    mta = posthorn(SMALL)
    everything(mta, ledger, sink)
    to_the_spool(mta, ledger)
    mta.kill_all()
    done = audit(mta)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r" 0 in the spool", done.stdout), done.stdout
    assert counts(done.stdout)["missing"] == 0
    mta.restart()
    mta.stop()
    done = audit(mta)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_that_is_gone_is_named(posthorn, ledger, sink):
    mta = posthorn(SMALL)
    ids = everything(mta, ledger, sink)
    to_the_spool(mta, ledger)
    mta.stop()
    [victim] = (mta.directory / "queue/spool").glob("*/" + ids["half"])
    kept = victim.read_bytes()
    victim.unlink()
    done = audit(mta)
    assert done.returncode == 1 and "NOT conserved" in done.stdout, done.stdout
    assert f"{ids['half']}: 1 of 2 recipients missing: its file in the spool is missing" in done.stdout, done.stdout
    victim.write_bytes(kept[:-1] + b"?")
    done = audit(mta)
    assert done.returncode == 1 and f"{ids['half']}: 1 of 2" in done.stdout and "damaged" in done.stdout, done.stdout
    victim.write_bytes(kept)
    (mta.directory / "queue/spool/large" / ids["large"]).unlink()
    done = audit(mta)
    assert done.returncode == 1 and f"{ids['large']}: 1 of 1 recipients missing: the file of its content" in done.stdout


@pytest.mark.parametrize("victim,pattern,words", [
    ("delivered", r"to=<now@far\.test>", "1 of 2 recipients missing: the message was removed"),
    ("delivered", r"from=<alice", "the log speaks of it, and the log has not accepted it"),
    ("late", r"from=<alice", "it is on the disk, and the log has not accepted it"),
    ("bounced", r"notification=", "<never@far.test> bounced, and the sender was not told"),
    ("nobody", r"notification=", "<never@far.test> bounced, and postmaster was not told"),
    ("deleted", r"removed by an operator", "2 of 2 recipients missing"),
])
def test_a_line_that_the_log_lacks_is_noticed(posthorn, ledger, sink, tmp_path, victim, pattern, words):
    mta = posthorn(SMALL)
    ids = everything(mta, ledger, sink)
    mta.stop()
    lines = mta.log.read_text().splitlines(keepends=True)
    doctored = tmp_path / "doctored"
    doctored.write_text(LONG_AGO + "".join(line for line in lines if not re.search(ids[victim] + ": " + pattern, line)))
    done = audit(mta, doctored)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{ids[victim]}: {words}" in done.stdout, done.stdout
    assert {line[:13] for line in done.stdout.splitlines() if re.match(r"[0-9A-Z]{13}: ", line)} == {ids[victim]}, done.stdout


def test_what_is_older_than_the_log_is_counted_apart(posthorn, ledger, sink, tmp_path):
    mta = posthorn(SMALL)
    ids = everything(mta, ledger, sink)
    mta.stop()
    lines = mta.log.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if ids["deleted"] + ": from=" in line)
    first, second = tmp_path / "log.1", tmp_path / "log"
    first.write_text("".join(lines[:at]))
    second.write_text("".join(lines[at:]))
    done = audit(mta, second)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^older than the log: [3-9] messages$", done.stdout, re.M), done.stdout
    done = audit(mta, first, second)
    assert done.returncode == 0 and "older" not in done.stdout, done.stdout


def test_a_stranger_cannot_write_the_proof(posthorn, ledger, sink, tmp_path):
    """Words of clients and of next hops stand in the log, and none of them count."""
    mta = posthorn(SMALL)
    queue_id = accept(mta, ledger, ["bob@local.test"])
    mta.wait_log(queue_id + ": removed$")
    forged = f"x/queue[1]: {queue_id}: to=<bob@local.test>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)"
    sink.on("RCPT", "later", "450 4.2.1 " + forged[:200])
    accept(mta, ledger, ["later@far.test"])
    mta.wait_log("status=deferred")
    mta.stop()
    doctored = tmp_path / "doctored"
    lines = [line for line in mta.log.read_text().splitlines(keepends=True) if "to=<bob@local.test>" not in line or "later" in line]
    lines.append(f"Nov 23 06:00:00 mx.test.example postfix/smtpd[1]: NOQUEUE: reject: MAIL from unknown[192.0.2.1]: 550; from=<{forged}>\n")
    doctored.write_text("".join(lines))
    done = audit(mta, doctored)
    assert done.returncode == 1 and f"{queue_id}: 1 of 1 recipients missing" in done.stdout, done.stdout


def test_a_running_queue_is_not_audited(mta):
    done = audit(mta)
    assert done.returncode == 66 and "in use by another posthorn" in done.stderr, done
    mta.stop()
    assert audit(mta, mta.directory / "no such log").returncode == 66
    mta.configure({"log": {"target": "syslog"}})
    done = audit(mta)
    assert done.returncode == 64 and "name its files" in done.stderr, done


def test_a_notification_that_was_never_queued_is_named(posthorn, ledger, sink, tmp_path):
    mta = posthorn(SMALL)
    ids = everything(mta, ledger, sink)
    mta.stop()
    text = mta.log.read_text()
    notice = re.search(ids["bounced"] + ": sender non-delivery notification: (\\w+)", text).group(1)
    doctored = tmp_path / "doctored"
    doctored.write_text(LONG_AGO + "".join(line for line in text.splitlines(keepends=True) if notice + ": " not in line))
    done = audit(mta, doctored)
    assert done.returncode == 1, done.stdout
    assert f"{ids['bounced']}: <never@far.test> bounced, and its notification {notice} was never queued" in done.stdout, done.stdout


def bounce_in_turn(mta, ledger, sink):
    """One message, two recipients that fail one after the other, two notifications; returns its id and theirs."""
    sink.on("RCPT", "never", "550 5.1.1 no such user")
    sink.on("RCPT", "later", "450 4.2.1 come back later")
    message = accept(mta, ledger, ["never@far.test", "later@far.test", "bob@local.test"])
    mta.wait_log(message + ": sender non-delivery notification: ")
    mta.wait_log(message + ": to=<later@far.test>.*status=deferred")
    sink.forget_rules()
    sink.on("RCPT", "later", "550 5.1.1 he is gone")
    mta.posthorn("queue", "retry", message)
    mta.wait_log(message + ": removed$")
    wait_for(lambda: len(mta.mails("alice")) == 2, 20, "two notifications")
    notices = re.findall(message + ": sender non-delivery notification: (\\w+)", mta.log.read_text())
    assert len(notices) == 2, notices
    return message, notices


@pytest.mark.parametrize("lost,victim", [(0, "never@far.test"), (1, "later@far.test")])
def test_one_notification_of_two_is_missed(posthorn, ledger, sink, tmp_path, lost, victim):
    """Neither a line of the log nor a file knows of it: the other one tells of somebody else."""
    mta = posthorn(SMALL)
    message, notices = bounce_in_turn(mta, ledger, sink)
    mta.stop()
    done = audit(mta)
    assert done.returncode == 0 and "of the bounced: 2 told, 0 to be told, 0 deleted before" in done.stdout, done.stdout
    doctored = tmp_path / "doctored"
    doctored.write_text(LONG_AGO + "".join(line for line in mta.log.read_text().splitlines(keepends=True) if notices[lost] not in line))
    done = audit(mta, doctored)
    assert done.returncode == 1, done.stdout
    assert f"{message}: <{victim}> bounced, and the sender was not told" in done.stdout, done.stdout
    assert counts(done.stdout)["missing"] == 0 and "1 told" in done.stdout, done.stdout


def test_a_bounce_of_mail_that_is_older_than_the_log(posthorn, ledger, sink, tmp_path):
    """Whoever bounces after the log begins is told after it begins."""
    mta = posthorn(SMALL)
    message, notices = bounce_in_turn(mta, ledger, sink)
    mta.stop()
    lines = mta.log.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if message + ": to=<later@far.test>" in line and "status=bounced" in line)
    rest = tmp_path / "rest"
    rest.write_text("".join(lines[at:]))
    assert audit(mta, rest).returncode == 0
    rest.write_text("".join(line for line in lines[at:] if notices[1] not in line))
    done = audit(mta, rest)
    assert done.returncode == 1 and f"{message}: <later@far.test> bounced, and" in done.stdout, done.stdout


def test_a_notification_that_waits_is_owed(posthorn, ledger, sink):
    """More notifications than a sender gets in an hour wait, on disk, too; those of mail that an operator deletes are not made."""
    mta = posthorn({"queue": {**SMALL["queue"], "sender-notices": 1}})
    sink.on("RCPT", "never", "550 5.1.1 no such user")
    ids = [accept(mta, ledger, ["never@far.test"]) for _ in range(3)]
    for queue_id in ids:
        mta.wait_log(queue_id + ": to=<never@far.test>.*status=bounced")
    told = re.search("(\\w+): notification=", mta.log.read_text()).group(1)
    waiting = [queue_id for queue_id in ids if queue_id != told]
    mta.posthorn("queue", "delete", waiting[0])
    mta.wait_log(waiting[0] + ": removed$")
    mta.stop()
    done = audit(mta)
    assert done.returncode == 0, done.stdout
    assert "of the bounced: 1 told, 1 to be told, 1 deleted before" in done.stdout, done.stdout


def test_lines_that_the_log_dropped_are_told(posthorn, ledger, sink, tmp_path):
    mta = posthorn(SMALL)
    ids = everything(mta, ledger, sink)
    mta.stop()
    lines = mta.log.read_text().splitlines(keepends=True)
    doctored = tmp_path / "doctored"
    doctored.write_text("".join(
        line.split("postfix/queue")[0] + "postfix/queue[1]: warning: 1 lines of this process were dropped before this one\n"
        if f"{ids['delivered']}: to=<now@far.test>" in line else line for line in lines))
    done = audit(mta, doctored)
    assert done.returncode == 1 and "the log lacks 1 lines" in done.stdout, done.stdout


def test_a_log_from_standard_input(posthorn, ledger, sink, tmp_path):
    """What is compressed is not taken for a log of nothing; unpacked it may come through a pipe."""
    mta = posthorn(SMALL)
    everything(mta, ledger, sink)
    mta.stop()
    packed = tmp_path / "log.1.gz"
    packed.write_bytes(gzip.compress(mta.log.read_bytes()))
    done = audit(mta, packed)
    assert done.returncode == 66 and f"{packed} is compressed" in done.stderr, done
    with subprocess.Popen(["zcat", packed], stdout=subprocess.PIPE) as unpacked:
        done = mta.command("posthorn", "queue", "audit", "-", seconds=60, stdin=unpacked.stdout)
    assert done.returncode == 0 and counts(done.stdout)["missing"] == 0, done.stdout + done.stderr


def test_zeros_that_a_power_cut_left_in_the_log(posthorn, ledger, sink, tmp_path):
    mta = posthorn(SMALL)
    ids = everything(mta, ledger, sink)
    mta.stop()
    torn = tmp_path / "torn"
    torn.write_bytes(LONG_AGO.encode() + mta.log.read_bytes().replace(b"\n", b"\n" + bytes(4096), 50))
    done = audit(mta, torn)
    assert done.returncode == 0 and ids["delivered"] not in done.stdout, done.stdout + done.stderr


def test_the_log_of_something_else_proves_nothing(posthorn, ledger, sink, tmp_path):
    mta = posthorn(SMALL)
    everything(mta, ledger, sink)
    mta.stop()
    other = tmp_path / "other"
    for text in ("", LONG_AGO):
        other.write_text(text)
        done = audit(mta, other)
        assert done.returncode == 1 and "the log speaks of no message: it proves nothing" in done.stdout, done.stdout
        assert "NOT conserved" in done.stdout, done.stdout


def test_lines_of_two_hosts_are_told_apart(posthorn, ledger, sink, tmp_path):
    mta = posthorn(SMALL)
    everything(mta, ledger, sink)
    mta.stop()
    both = tmp_path / "both"
    both.write_text(mta.log.read_text() + mta.log.read_text().replace(" mx.test.example ", " mx2.test.example "))
    assert "ids of one host" not in audit(mta).stdout
    assert "lines of mx.test.example and of mx2.test.example: ids of one host mean nothing" in audit(mta, both).stdout


def test_what_strangers_wrote_into_the_log_is_tamed(posthorn, ledger, sink, tmp_path):
    """Whoever may write to a log must not write to the terminal of the postmaster who reads about it."""
    mta = posthorn(SMALL)
    ids = everything(mta, ledger, sink)
    mta.stop()
    text = mta.log.read_text()
    forged = tmp_path / "forged"
    forged.write_text(LONG_AGO + "".join(line for line in text.splitlines(keepends=True) if "notification=" not in line)
                      .replace("never@far.test", "never\x1b]0;x\x07@far.test") + text.replace(" mx.test.example ", " mx\x1b[31m "))
    done = audit(mta, forged)
    assert done.returncode == 1 and "\x1b" not in done.stdout and "\x07" not in done.stdout, repr(done.stdout)
    assert ids["bounced"] in done.stdout and "never?]0;x?@far.test" in done.stdout and "mx\\x1b[31m" in done.stdout, done.stdout


def test_ids_that_two_queues_gave(posthorn, ledger, sink, tmp_path):
    """Two messages of one id, each of them delivered: what the log says of one proves nothing of the other."""
    mta = posthorn(SMALL)
    mta.wait_log(accept(mta, ledger, ["bob@local.test", "now@far.test"]) + ": removed$")
    mta.stop()
    assert audit(mta, mta.log, mta.log).returncode == 0, "a log that is given twice is no trouble"
    earlier = tmp_path / "earlier"
    earlier.write_text(re.sub(r"^.{15}", "Jan  2 03:04:05", mta.log.read_text(), flags=re.M))
    done = audit(mta, earlier, mta.log)
    assert done.returncode == 1 and "ids of two messages: 1; the logs are of two queues" in done.stdout, done.stdout


def test_a_restored_queue_against_the_old_log(posthorn, ledger, sink, tmp_path):
    """What was delivered after the backup is there once more; what came after it is not."""
    mta = posthorn(SMALL)
    sink.on("RCPT", "later", "450 4.2.1 come back later")
    early = accept(mta, ledger, ["later@far.test"])
    mta.wait_log(early + ": to=<.*status=deferred")
    mta.posthorn("queue", "backup", tmp_path / "backup")
    late = accept(mta, ledger, ["later@far.test"])
    mta.wait_log(late + ": to=<.*status=deferred")
    sink.forget_rules()
    mta.posthorn("queue", "retry", early)
    mta.wait_log(early + ": removed$")
    mta.stop()
    assert audit(mta).returncode == 0
    (mta.directory / "queue").rename(tmp_path / "old")
    mta.posthorn("queue", "restore", tmp_path / "backup")
    done = audit(mta)
    assert done.returncode == 1, done.stdout
    assert f"{late}: 1 of 1 recipients missing" in done.stdout and early not in done.stdout, done.stdout
    assert "to be delivered once more: 1 recipients" in done.stdout, done.stdout
