"""A bit that a disk turns over in a large content, after it was accepted: seen by whoever delivers it, and delivered to nobody."""
import pytest

from client import send
from ledger import lf
from waiting import wait_for

MAIL = ["bob@local.test", "someone@far.test"]


def flip(path, at):
    """The same again puts it back."""
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def no_way(mta, sink):
    """Nothing gets through to bob or to far.test; returns what ends that."""
    maildir = mta.maildir("bob")
    maildir.parent.mkdir(exist_ok=True)
    maildir.write_bytes(b"")
    mta.give(maildir)
    sink.on("RCPT", None, "450 4.2.1 come back later")

    def way():
        sink.forget_rules()
        maildir.unlink()
    return way


def files_of(mta, user):
    """Of a copy, whole or not: its tmp/ counts, too."""
    return [p for sub in ("tmp", "new", "cur") for p in (mta.maildir(user) / sub).glob("*")]


@pytest.mark.parametrize("where", ["header", "middle", "end"])
def test_a_damaged_large_content_is_held_and_not_delivered(posthorn, sink, ledger, where):
    mta = posthorn({"queue": {"retry": ["1h"]}})
    way = no_way(mta, sink)
    name, content = ledger.message(1 << 20)
    queue_id = send(mta.trusted, "alice@local.test", MAIL, content).text.split()[-1]
    for address in MAIL:
        mta.wait_log(f"{queue_id}: to=<{address}>.*status=deferred")
    large, copy = mta.directory / "queue/spool/large" / queue_id, mta.directory / "queue/corrupt" / f"content-{queue_id}"
    at = {"header": 12, "middle": large.stat().st_size // 2, "end": large.stat().st_size - 3}[where]
    flip(large, at)
    way()
    mta.posthorn("queue", "retry", queue_id)

    mta.wait_log(f"message {queue_id}: its content .spool/large/{queue_id}. fails its checksum", count=2)
    wait_for(lambda: f"{queue_id}!" in mta.mailq(), 10, "the mark of a held message")
    assert large.samefile(copy) and "checksum" in copy.with_name(copy.name + ".reason").read_text()
    assert "damaged 2" in mta.posthorn("status")
    cat = mta.command("posthorn", "queue", "cat", queue_id)
    assert cat.returncode != 0 and "damaged" in cat.stderr

    mta.stop()
    mta.restart()
    mta.posthorn("queue", "retry", queue_id)
    probe = send(mta.trusted, "alice@local.test", ["alice@local.test", "probe@far.test"], ledger.message()[1])
    assert probe.code == 250
    mta.wait_mails("alice", 1)
    assert [t.recipients for t in sink.wait(1)] == [["probe@far.test"]]
    assert f"{queue_id}!" in mta.mailq() and files_of(mta, "bob") == [] and len(mta.mails("alice")) == 1

    flip(large, at)
    mta.posthorn("queue", "release", queue_id)
    [_, got] = sink.wait(2)
    assert content in got.content
    assert lf(content) in mta.wait_mails("bob", 1)[0]
    mta.wait_empty()
    wait_for(lambda: not large.exists(), 10, "the end of a delivered message's content")
