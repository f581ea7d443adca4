"""posthorn queue backup and restore: what was promised is in the backup, and a backup that is not whole is known as such."""
import os
import signal
import threading

import pytest

from client import Client, send
from ledger import Ledger
from posthorn import Posthorn
from sink import Sink
from waiting import wait_for

# Mail that waits leaves a small ring soon; nothing is tried a second time.
SMALL = {"queue": {"retry": ["1h"], "ring-segments": 16, "segment-size": "1MiB"}}
LATER = "later@far.test"
LARGE = 400000                  # a file of its own


@pytest.fixture
def second_sink():
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def fresh(tmp_path, dns, second_sink):
    """A posthorn that has not been started yet, with another sink behind it."""
    mta = Posthorn(tmp_path / "fresh", SMALL, dns=dns, mx_port=second_sink.port)
    mta.choose_ports()
    mta.configure()
    yield mta
    print(mta.words())
    mta.__exit__(None)


def accept(mta, ledger, recipients, size=3000):
    name, content = ledger.message(size)
    reply = send(mta.trusted, "alice@local.test", recipients, content)
    if reply.code == 250:
        ledger.promise(name, recipients, reply.text.split()[-1])
    return name, reply


def defer(sink):
    sink.on("RCPT", "later", "450 4.2.1 come back later")


def spooled(mta):
    return len([p for p in (mta.directory / "queue/spool").glob("*/*") if p.parent.name != "large"])


def fill_spool(mta, ledger, recipients, least):
    """Sends until some of it has left the ring."""
    names = []
    while spooled(mta) < least:
        names.append(accept(mta, ledger, recipients, 60000)[0])
        assert len(names) < 500
    return names


class Load:
    """Clients that send all the time; what they were promised stands in the ledger."""

    def __init__(self, mta, ledger, clients=3):
        self.stopped = threading.Event()
        self.refused = []
        self.threads = [threading.Thread(target=self.run, args=(mta, ledger, i)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, mta, ledger, number):
        kinds = [["now@far.test"], [LATER], ["bob@local.test", LATER]]
        for turn in range(10000):
            if self.stopped.is_set():
                return
            reply = accept(mta, ledger, kinds[(turn + number) % 3], 1500)[1]
            if reply.code != 250:
                self.refused.append(reply)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)


def delivered(ledger, mta, *sinks):
    return ledger.look(mta.maildirs(), sinks)


def backup(mta, path, *words, **options):
    return mta.command("posthorn", "queue", "backup", *words, path, seconds=60, **options)


def restore(mta, path, **options):
    return mta.command("posthorn", "queue", "restore", path, seconds=60, **options)


def test_a_backup_under_load_brings_back_what_waits(posthorn, fresh, ledger, sink, second_sink, tmp_path):
    """What was acknowledged before and waits comes out of the restored queue; what was delivered before does not."""
    defer(sink)
    mta = posthorn(SMALL)
    accept(mta, ledger, [LATER], LARGE)
    fill_spool(mta, ledger, ["bob@local.test", LATER], 30)
    accept(mta, ledger, [LATER], LARGE)
    halves = [name for name, recipient in ledger.promised if recipient == "bob@local.test"]
    wait_for(lambda: len(mta.mails("bob")) == len(halves), 20, "the local halves")
    for name in halves:
        mta.wait_log(ledger.promised[name, "bob@local.test"] + ": to=<bob@local.test>.*status=sent")
    load = Load(mta, ledger)
    wait_for(lambda: len(ledger.promised) > 200, 20, "some load")
    before = dict(ledger.promised)
    done = backup(mta, tmp_path / "backup")
    load.stop()
    assert done.returncode == 0, done.stderr
    assert not load.refused, load.refused[:3]
    mta.stop()

    done = restore(fresh, tmp_path / "backup")
    assert done.returncode == 0, done.stderr
    assert "delivered again" in done.stdout
    with fresh:
        fresh.posthorn("queue", "retry", "all")
        fresh.wait_empty(60)
        found = delivered(ledger, fresh, second_sink)
    assert not found.damaged, found.damaged[:5]
    wanted = {key for key in before if key[1] == LATER}
    missing = sorted(wanted - set(found.copies))
    assert not missing, f"{len(missing)} of {len(wanted)} are not in the backup, first {missing[:5]}"
    again = [name for name in halves if (name, "bob@local.test") in found.copies]
    assert not again, f"{len(again)} were delivered before the backup, and once more: {again[:5]}"
    assert " error: " not in fresh.log.read_text(), "the catalog was taken as it was, and no batch was torn"
    assert not list((fresh.directory / "queue/corrupt").iterdir())
    assert max(found.copies.values()) == 1


def test_mail_that_leaves_while_the_backup_runs(posthorn, fresh, ledger, sink, second_sink, tmp_path):
    """Ring and catalog are copied, the spool is not yet: then all that sleeps is delivered, and new mail comes."""
    defer(sink)
    mta = posthorn(SMALL)
    fill_spool(mta, ledger, [LATER], 30)
    tool = stopped_backup(mta, tmp_path / "backup", "store-mkdir:3")
    files = spooled(mta)
    sink.forget_rules()
    mta.posthorn("queue", "retry", "all")
    sink.wait(len(ledger.promised))
    mta.wait_empty()
    defer(sink)
    for _ in range(20):
        accept(mta, Ledger("n"), [LATER], 30000)
    assert spooled(mta) == files, "no file of the spool is made or removed meanwhile"
    code, said = go_on(tool)
    assert code == 0, said
    wait_for(lambda: spooled(mta) < files, 30, "the end of files that nobody needs")
    assert restore(fresh, tmp_path / "backup").returncode == 0
    with fresh:
        fresh.posthorn("queue", "retry", "all")
        fresh.wait_empty(60)
        ledger.check(delivered(ledger, fresh, second_sink))
    assert " error: " not in fresh.log.read_text()


def test_ids_are_never_given_twice(posthorn, fresh, ledger, sink, tmp_path):
    """The old life goes on after the backup, with new starts; the restored queue gives out none of its ids."""
    defer(sink)
    mta = posthorn(SMALL)
    accept(mta, ledger, [LATER])
    assert backup(mta, tmp_path / "backup").returncode == 0
    used = set()
    for _ in range(2):
        mta.stop()
        mta.restart()
        used.add(accept(mta, ledger, [LATER])[1].text.split()[-1])
    assert restore(fresh, tmp_path / "backup").returncode == 0
    fresh.arguments = ["--paused"]          # what was restored is looked at before it leaves
    with fresh:
        [old] = fresh.queue()
        assert old["queue_id"] not in used
        new = accept(fresh, Ledger("f"), ["bob@local.test"])[1].text.split()[-1]
    assert new > max(used | {old["queue_id"]})


def stopped_backup(mta, path, step="step-backup-4"):
    """A backup that stands still behind its copy, with the store pinned."""
    tool = mta.begin("posthorn", "queue", "backup", path, fault=(step if ":" in step else step + ":1") + ":STOP")
    wait_for(lambda: os.waitid(os.P_PID, tool.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT), 20, "a backup that stands still")
    return tool


def go_on(tool):
    tool.send_signal(signal.SIGCONT)
    out, errors = tool.communicate(timeout=60)
    return tool.returncode, out + errors


def test_one_backup_at_a_time(posthorn, ledger, sink, tmp_path):
    defer(sink)
    mta = posthorn(SMALL)
    accept(mta, ledger, [LATER])
    first = stopped_backup(mta, tmp_path / "first")
    second = backup(mta, tmp_path / "second")
    assert second.returncode == 75 and "another backup is under way" in second.stderr, second
    code, said = go_on(first)
    assert code == 0, said
    assert backup(mta, tmp_path / "third").returncode == 0


def test_large_content_stays_while_pinned(posthorn, fresh, ledger, sink, second_sink, tmp_path):
    """Delivered while the backup runs: its file is removed only afterwards, and the backup has it or its end."""
    defer(sink)
    mta = posthorn(SMALL)
    name, reply = accept(mta, ledger, [LATER], LARGE)
    queue_id = reply.text.split()[-1]
    mta.wait_log(queue_id + ": to=<later@far.test>.*status=deferred")
    content = mta.directory / "queue/spool/large" / queue_id
    tool = stopped_backup(mta, tmp_path / "backup", "step-backup-3")
    sink.forget_rules()
    mta.posthorn("queue", "retry", "all")
    mta.wait_log(queue_id + ": removed")
    assert content.exists()
    code, said = go_on(tool)
    assert code == 0, said
    wait_for(lambda: not content.exists(), 10, "the end of a finished message's content")
    assert restore(fresh, tmp_path / "backup").returncode == 0
    with fresh:
        fresh.posthorn("queue", "retry", "all")
        fresh.wait_empty(30)
        assert (name, LATER) in delivered(ledger, fresh, second_sink).copies


def test_a_large_message_on_its_way_is_nobodys(posthorn, fresh, ledger, sink, tmp_path):
    """Its file grows, behind the backup's back where it is a hard link, and is promised later."""
    defer(sink)
    mta = posthorn(SMALL)
    accept(mta, ledger, [LATER])
    content = ledger.message(2 * LARGE)[1]
    large = mta.directory / "queue/spool/large"
    with Client(mta.trusted) as client:
        client.hello()
        for line, code in (("MAIL FROM:<alice@local.test>", 250), (f"RCPT TO:<{LATER}>", 250), ("DATA", 354)):
            assert client.command(line).code == code
        client.send(content[:LARGE])
        wait_for(lambda: any(path.stat().st_size for path in large.iterdir()), 10, "a file in the making")
        assert backup(mta, tmp_path / "backup").returncode == 0
        client.send(content[LARGE:] + b".\r\n")
        assert client.reply().code == 250
    [file] = large.iterdir()
    assert (tmp_path / "backup/spool/large" / file.name).samefile(file), "a hard link, on one file system"
    done = restore(fresh, tmp_path / "backup")
    assert done.returncode == 0, done.stderr
    with fresh:
        assert len(fresh.queue()) == 1
        assert not list((fresh.directory / "queue/spool/large").iterdir())
        assert file.exists()


def test_a_copy_shares_nothing_with_the_queue(posthorn, fresh, ledger, sink, second_sink, tmp_path):
    """Whoever has the queue's user afterwards may write to its files: a backup by hard links has that, too, a copy has not."""
    defer(sink)
    mta = posthorn(SMALL)
    fill_spool(mta, ledger, [LATER], 10)
    _, reply = accept(mta, ledger, [LATER], LARGE)
    mta.wait_log(reply.text.split()[-1] + ": to=<later@far.test>.*status=deferred")
    assert backup(mta, tmp_path / "links").returncode == 0
    done = backup(mta, tmp_path / "copy", "--copy")
    assert done.returncode == 0, done.stderr
    files = [path for path in (mta.directory / "queue/spool").rglob("*") if path.is_file()]
    shared = {kind: [path for path in (tmp_path / kind / "spool").rglob("*") if path.is_file() and path.stat().st_nlink > 1]
              for kind in ("links", "copy")}
    assert len(shared["links"]) >= 11 and not shared["copy"], shared
    mta.kill_all()
    for path in files:
        path.write_bytes(b"somebody was here")
    done = restore(fresh, tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    with fresh:
        fresh.posthorn("queue", "retry", "all")
        fresh.wait_empty(60)
        ledger.check(delivered(ledger, fresh, second_sink))
    assert mta.command("posthorn", "queue", "list", "--copy").returncode == 64


def test_a_stop_ends_the_backup_and_is_orderly(posthorn, ledger, sink, tmp_path):
    defer(sink)
    mta = posthorn(SMALL)
    accept(mta, ledger, [LATER])
    tool = stopped_backup(mta, tmp_path / "backup")
    mta.stop()
    code, said = go_on(tool)
    assert code == 74 and "no backup" in said, said
    assert not (tmp_path / "backup/BACKUP").exists()


def test_a_ring_of_another_shape_takes_it(posthorn, fresh, ledger, sink, second_sink, tmp_path):
    defer(sink)
    mta = posthorn(SMALL)
    names = [accept(mta, ledger, [LATER], 60000)[0] for _ in range(40)]
    assert backup(mta, tmp_path / "backup").returncode == 0
    fresh.configure({"queue": {"ring-segments": 8, "segment-size": "4MiB"}})
    assert restore(fresh, tmp_path / "backup").returncode == 0
    with fresh:
        fresh.posthorn("queue", "retry", "all")
        fresh.wait_empty(30)
        found = delivered(ledger, fresh, second_sink)
    assert {name for name, _ in found.copies} == set(names) and not found.damaged


def test_a_killed_backup_lets_go_and_is_no_backup(posthorn, fresh, ledger, sink, tmp_path):
    defer(sink)
    mta = posthorn(SMALL)
    accept(mta, ledger, [LATER])
    done = backup(mta, tmp_path / "killed", fault="step-backup-5:1:KILL")
    assert done.returncode == -signal.SIGKILL
    mta.wait_log("a backup ended before it was complete")
    assert backup(mta, tmp_path / "backup").returncode == 0
    done = restore(fresh, tmp_path / "killed")
    assert done.returncode == 65 and "no file BACKUP" in done.stderr, done
    assert not (fresh.directory / "queue/STORE").exists()
    assert restore(fresh, tmp_path / "backup").returncode == 0


def test_a_short_ring_breaks_the_backup_and_no_client_notices(posthorn, ledger, sink, tmp_path):
    defer(sink)
    mta = posthorn({"queue": {"retry": ["1h"], "ring-segments": 8, "segment-size": "1MiB"}})
    accept(mta, ledger, [LATER])
    tool = stopped_backup(mta, tmp_path / "backup")
    for _ in range(150):
        reply = accept(mta, ledger, [LATER], 60000)[1]
        assert reply.code == 250, reply
    mta.wait_log("the ring runs short")
    code, said = go_on(tool)
    assert code == 75 and "ran short" in said, said
    assert not (tmp_path / "backup/BACKUP").exists()


def test_where_a_backup_may_not_go(mta, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    done = backup(mta, tmp_path / "full")
    assert done.returncode == 74 and "not empty" in done.stderr, done
    assert backup(mta, tmp_path / "no/such/folder").returncode == 74
    (tmp_path / "empty").mkdir()
    assert backup(mta, tmp_path / "empty").returncode == 0


def test_restore_wants_an_empty_queue_and_a_whole_backup(mta, fresh, tmp_path):
    backup_at = tmp_path / "backup"
    assert backup(mta, backup_at).returncode == 0
    done = restore(mta, backup_at)
    assert done.returncode == 65 and "in use by another posthorn" in done.stderr, done
    mta.stop()
    done = restore(mta, backup_at)
    assert done.returncode == 65 and "not empty" in done.stderr, done
    others = fresh.directory / "queue"
    others.mkdir()
    (others / "diary").write_text("mine")
    done = restore(fresh, backup_at)
    assert done.returncode == 65 and "not empty" in done.stderr, done
    assert [path.name for path in others.iterdir()] == ["diary"]
    (others / "diary").unlink()
    log = backup_at / "db/catalog.db"
    kept = log.read_bytes()
    log.write_bytes(kept[:-1])
    done = restore(fresh, backup_at)
    assert done.returncode == 65 and "not whole" in done.stderr, done
    log.write_bytes(kept)
    marker = backup_at / "BACKUP"
    marker.write_text(marker.read_text().replace("messages 0", "messages 1"))
    done = restore(fresh, backup_at)
    assert done.returncode == 65 and "damaged" in done.stderr, done


@pytest.mark.parametrize("step", ["restore-3", "restore-4", "restore-5", "epoch-3"])
def test_an_interrupted_restore_is_no_queue(mta, fresh, ledger, sink, tmp_path, step):
    defer(sink)
    accept(mta, ledger, [LATER])
    assert backup(mta, tmp_path / "backup").returncode == 0
    done = restore(fresh, tmp_path / "backup", fault=f"step-{step}:1:KILL")
    assert done.returncode == -signal.SIGKILL
    fresh.expect_dirty_stop = True
    fresh.spawn()
    wait_for(lambda: "restore of the queue directory was not finished" in fresh.words() or
             "holds mail, but STORE is missing" in fresh.words(), 20, lambda: "a refusal: " + fresh.words())
    fresh.kill_all()
    done = restore(fresh, tmp_path / "backup")
    assert done.returncode == 65 and "not finished" in done.stderr, done
