"""Started as root: a uid for each service, mail for users with uids of their own, and nobody holds more than it needs."""
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import tempfile

import pytest

from client import Client, send
from posthorn import Posthorn
from waiting import wait_for

pytestmark = [pytest.mark.root_only, pytest.mark.skipif(os.getuid() != 0, reason="needs root: several uids")]

SERVICES = ("log", "lookup", "queue", "relay", "mda", "smtpd")
USERS = {"alice": 60001, "bob": 60002}


def ensure_account(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "-r", "-M", "-U", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", name], check=True)
        return pwd.getpwnam(name)


class RootPosthorn(Posthorn):
    """Users with uids of their own, and a folder that the logger may write to."""

    def write_users(self, users=None):
        lines = []
        for user, uid in USERS.items():
            for path in (self.directory / "home" / user, self.directory / "mail" / user):
                path.mkdir(exist_ok=True)
                os.chown(path, uid, uid)
            lines.append(f"{user}:x:{uid}:{uid}:{user}:{self.directory}/home/{user}:/usr/sbin/nologin\n")
        (self.directory / "users").write_text("".join(lines))
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        account = pwd.getpwnam("posthorn-log")
        os.chown(logs, account.pw_uid, account.pw_gid)
        self.log = logs / "log"


@pytest.fixture
def mta(dns, sink):
    for name in SERVICES:
        ensure_account("posthorn-" + name)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-root.", dir="/var/tmp"))
    directory.chmod(0o755)
    try:
        with RootPosthorn(directory / "p", dns=dns, mx_port=sink.port, users=list(USERS)) as mta:
            yield mta
            print(mta.words())      # pytest shows it when the test has failed
    finally:
        shutil.rmtree(directory)


def uids(pid):
    """Real, effective, saved and file system uid."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return [int(word) for word in line.split()[1:]]
    raise AssertionError(f"{pid} has no uid")


def test_each_service_has_its_own_uid(mta):
    seen = {}
    for name in SERVICES:
        binary = "logger" if name == "log" else name
        account = pwd.getpwnam("posthorn-" + name)
        pids = mta.pids(binary)
        assert pids, f"no process called {binary}: {mta.children()}"
        for pid in pids:
            assert uids(pid) == [account.pw_uid] * 4, f"{binary} {pid}"
        seen[name] = account.pw_uid
    assert len(set(seen.values())) == len(SERVICES) and 0 not in seen.values()


def test_services_see_an_empty_root(mta):
    for binary in ("smtpd", "relay", "mda"):
        for pid in mta.pids(binary):
            assert os.listdir(f"/proc/{pid}/root/") == [], f"{binary} {pid} sees files"


def test_mail_belongs_to_its_user(mta, ledger):
    name, content = ledger.message()
    recipients = ["alice@local.test", "bob@local.test"]
    send(mta.trusted, "a@far.test", recipients, content)
    ledger.promise(name, recipients)
    for user, uid in USERS.items():
        mta.wait_mails(user)
        [file] = (mta.maildir(user) / "new").iterdir()
        found = file.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (uid, 0o600)
    wait_for(lambda: {uids(pid)[0] for pid in mta.pids("worker")} <= set(USERS.values()), 10, "workers as the users only")
    mta.wait_empty()
    ledger.check(ledger.look(mta.maildirs()))


def test_mail_is_never_delivered_as_root(mta, ledger):
    users = mta.directory / "users"
    users.write_text(users.read_text() + f"boss:x:0:0:boss:{mta.directory}/home/alice:/bin/sh\n")
    with Client(mta.trusted) as client:
        client.hello()
        accepted = client.transaction("alice@local.test", ["boss@local.test"], ledger.message()[1])[-1].code == 250
    if accepted:
        mta.wait_log(r"to=<boss@local\.test>.*status=(deferred|bounced)")
    assert not (mta.maildir("boss") / "new").exists()


def test_relaying_works_from_the_empty_root(mta, ledger, sink):
    name, content = ledger.message()
    send(mta.trusted, "alice@local.test", ["someone@far.test"], content)
    ledger.promise(name, ["someone@far.test"])
    sink.wait(1)
    mta.wait_empty()
    ledger.check(ledger.look(sinks=[sink]))


def test_the_queue_is_closed_to_others(mta, ledger, sink):
    sink.on("RCPT", None, "450 4.2.1 later")
    send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1])
    owner = pwd.getpwnam("posthorn-queue").pw_uid
    folder = mta.directory / "queue"
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode) & 0o077) == (owner, 0)
    assert [path for path in folder.rglob("*") if path.stat().st_uid != owner] == []
    assert [path for path in folder.rglob("*") if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_stranger_on_this_machine_may_not_steer(mta, ledger, sink):
    """The commands ask over a socket; who they are, the kernel says."""
    sink.on("RCPT", None, "450 4.2.1 later")
    queue_id = send(mta.trusted, "alice@local.test", ["someone@far.test"], ledger.message()[1]).text.split()[-1]
    nobody = pwd.getpwnam("nobody")
    for words in (["queue", "delete", queue_id], ["queue", "cat", queue_id], ["stop"]):
        done = subprocess.run([mta.tool("posthorn"), "-r", mta.run, *words], user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode != 0, f"{words}: {done.stdout}{done.stderr}"
    assert [m["queue_id"] for m in mta.queue()] == [queue_id]


def test_root_backs_up_restores_and_audits(mta, sink, tmp_path):
    """The files of a restored queue belong to the queue's user, whoever copied them."""
    queue = pwd.getpwnam("posthorn-queue")
    directory, copy = mta.directory / "queue", mta.directory / "copy"
    sink.on("RCPT", "later", "450 4.2.1 come back later")
    for size in (1000, 400000):
        content = b"Subject: x\r\n\r\n" + b"x" * 60 * (size // 60) + b"\r\n"
        assert send(mta.trusted, "a@far.test", ["later@far.test", "bob@local.test"], content.replace(b"x" * 60, b"x" * 58 + b"\r\n")).code == 250
    wait_for(lambda: len(mta.mails("bob")) == 2, 20, "the local halves")
    mta.posthorn("queue", "backup", copy)
    mta.posthorn("queue", "backup", "--copy", mta.directory / "own")
    assert {path.lstat().st_uid for path in (mta.directory / "own").rglob("*")} == {0}, "nothing of a copy is the queue's"
    mta.stop()
    (directory / "db/DB_CONFIG").write_text(f"set_lg_dir {tmp_path}\n")    # by whoever broke into queue: root does not do what it says
    mta.posthorn("queue", "audit")
    assert list(tmp_path.iterdir()) == []
    shutil.rmtree(directory)
    mta.posthorn("queue", "restore", copy)
    for path in (directory, *directory.rglob("*")):
        st = path.lstat()
        assert (st.st_uid, st.st_gid) == (queue.pw_uid, queue.pw_gid), path
        assert stat.S_IMODE(st.st_mode) & 0o077 == 0, path
    mta.posthorn("queue", "audit")
    mta.restart()
    sink.forget_rules()
    mta.posthorn("queue", "retry", "all")
    sink.wait(2)
    mta.wait_empty()
    assert len(mta.mails("bob")) == 2
