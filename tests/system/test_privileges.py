"""Started as root, with accounts of the system: who runs as whom, what each process still has, and what a hostile user gets."""
import os
import pathlib
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys

import pytest

from client import Client, send
from logins import BOB, PASSWORD, connect, plain
from posthorn import DOMAIN, PATIENCE, build_directory, processes, sanitized
from privileged import SERVICES, USERS, VIRTUAL, account, privileged, two_homes
from waiting import wait_for

pytestmark = [pytest.mark.root_only, pytest.mark.skipif(os.getuid() != 0, reason="needs root: several uids")]


@pytest.fixture(scope="module")
def homes():
    with two_homes() as top:
        yield top


@pytest.fixture
def mta(homes, dns, sink):
    with privileged(homes, dns, sink, pam=True) as posthorn:
        yield posthorn


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def check_fenced(pid, uid, gid, groups, what):
    """No right of root's, no way back to one, a list of system calls, no memory that is writable and executable."""
    said = status_of(pid)
    assert said["Uid"].split() == [str(uid)] * 4, what
    assert said["Gid"].split() == [str(gid)] * 4, what
    assert sorted(map(int, said["Groups"].split())) == sorted(groups), what
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(said[name], 16) == 0, f"{what}: {name}"
    assert said["NoNewPrivs"].strip() == "1", what
    assert said["Seccomp"].strip() == "2", what
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    assert [line for line in maps.splitlines() if re.search(r" .w.?x", line[line.index(" "):line.index(" ") + 5])] == [], what
    assert pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii").strip() == "0", what
    if not sanitized():     # a sanitizer's runtime must be able to look at its own process
        assert os.stat(f"/proc/{pid}/fd").st_uid == 0, f"{what} can be traced by its user"


def limit_of(pid, name):
    """The hard limit; -1: unlimited."""
    text = pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    word = re.search(rf"^{name} +\S+ +(\S+)", text, re.M)[1]
    return -1 if word == "unlimited" else int(word)


@pytest.mark.skipif(sanitized(), reason="a sanitizer needs its memory and a process of its own")
def test_no_process_can_take_the_whole_machine(mta, ledger):
    deliver(mta, ledger, f"ph-user1@{DOMAIN}")
    mta.wait_mails("ph-user1")
    for name in [name for name, _, _ in SERVICES] + ["worker"]:
        most = {"lookup": 100, "queue": 16, "mda": 48}.get(name, 0)
        for pid in mta.pids(name):
            assert 0 <= limit_of(pid, "Max processes") <= most, name
            assert limit_of(pid, "Max core file size") == 0, name
            assert 0 < limit_of(pid, "Max address space") <= 64 << 30, name
            assert 0 < limit_of(pid, "Max open files") <= 1 << 20, name


def log_in(mta, login, password):
    with connect(mta, mta.authority) as client:
        return client.docmd("AUTH", plain(login, password))[0]


def check_pam(mta, pids):
    """Root's number and nothing of its rights; modules do run there, so nothing is made executable but their files."""
    for pid in pids:
        check_fenced(pid, 0, 0, [], f"pam {pid}")
        assert int(status_of(pid)["CapBnd"], 16) == 0, pid
        assert os.readlink(f"/proc/{pid}/fd/0") == os.readlink(f"/proc/{pid}/fd/1") == "/dev/null", pid
        if not sanitized():
            assert limit_of(pid, "Max core file size") == limit_of(pid, "Max file size") == 0, pid
            assert 0 < limit_of(pid, "Max address space") <= 1 << 30, pid


def test_accounts_of_the_system_log_in_by_pam(mta):
    """pam_unix reads the hash in /etc/shadow: as its owner, for it has no capability to."""
    try:
        subprocess.run(["usermod", "-p", BOB, "ph-user1"], check=True)
        assert log_in(mta, "ph-user1", PASSWORD) == 235
        assert log_in(mta, "ph-user1", "pen") == 535
        assert log_in(mta, "ph-user2", PASSWORD) == 535         # has none
        assert log_in(mta, "root", "") == 535
        check_pam(mta, mta.pids("pam"))
        usual = mta.service.read_text()
        mta.service.write_text("@include /etc/pam.d/common-auth\n@include /etc/pam.d/common-account\n")      # what most services have
        assert [log_in(mta, "ph-user1", word) for word in (PASSWORD, "pen")] == [235, 535]
        mta.service.write_text(usual)
        subprocess.run(["usermod", "-e", "1", "ph-user1"], check=True)
        assert log_in(mta, "ph-user1", PASSWORD) == 535
        mta.wait_log("SASL PLAIN authentication failed: the account has expired, sasl_username=ph-user1")
        subprocess.run(["usermod", "-e", "", "ph-user1"], check=True)
        old = mta.pids("pam")
        mta.kill_one("pam")
        wait_for(lambda: mta.pids("pam") and not set(mta.pids("pam")) & set(old) and log_in(mta, "ph-user1", PASSWORD) == 235, 20, "another pam")
        check_pam(mta, mta.pids("pam"))
    finally:
        subprocess.run(["usermod", "-e", "", "-p", "!", "ph-user1"], check=True)


def flags_of(pid, fd):
    text = pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text(encoding="ascii")
    return int(re.search(r"flags:\s*(\d+)", text)[1], 8)


def test_each_process_has_its_user_and_nothing_else(mta):
    seen = set()
    for name, user, chroots in SERVICES:
        pids = mta.pids(name)
        assert pids, f"no {name}: {mta.children()}"
        who = account(user)
        seen.add(who.pw_uid)
        for pid in pids:
            check_fenced(pid, who.pw_uid, who.pw_gid, [], f"{name} {pid}")
            root = os.readlink(f"/proc/{pid}/root")
            assert root == (str(mta.run / "empty") if chroots else "/"), name
            assert os.readlink(f"/proc/{pid}/cwd") == root, name
            assert os.readlink(f"/proc/{pid}/fd/0") == os.readlink(f"/proc/{pid}/fd/1") == "/dev/null", name
    assert len(seen) == len({user for _, user, _ in SERVICES}) and 0 not in seen
    empty = (mta.run / "empty").stat()
    assert (empty.st_uid, stat.S_IMODE(empty.st_mode)) == (0, 0o555)
    assert os.listdir(mta.run / "empty") == []


def test_the_lock_is_inherited_for_reading_only(mta):
    """Every service holds it, so that nobody starts while one of them lives; none may write into root's folder by it."""
    for name, _, _ in SERVICES:
        holders = [pid for pid in mta.pids(name) if os.path.exists(f"/proc/{pid}/fd/4")]
        assert len(holders) == 1, name          # lookup's disposable children have closed it
        assert os.readlink(f"/proc/{holders[0]}/fd/4") == str(mta.run / "lock"), name
        assert flags_of(holders[0], 4) & os.O_ACCMODE == os.O_RDONLY, name


def deliver(mta, ledger, recipient):
    name, content = ledger.message()
    send(mta.trusted, "a@far.test", [recipient], content)
    ledger.promise(name, [recipient])
    return content


def test_mail_is_delivered_as_its_user(mta, ledger, homes):
    for user in USERS:
        deliver(mta, ledger, f"{user}@{DOMAIN}")
    for user in USERS:
        who = account(user)
        mta.wait_mails(user)
        for path in [mta.maildir(user), *mta.maildir(user).rglob("*")]:
            found = path.lstat()
            assert (found.st_uid, found.st_gid) == (who.pw_uid, who.pw_gid), path
            assert stat.S_IMODE(found.st_mode) == (0o700 if path.is_dir() else 0o600), path
    workers = wait_for(lambda: len(mta.pids("worker")) == 2 and mta.pids("worker"), 10, "two workers")
    assert {int(status_of(pid)["Uid"].split()[0]) for pid in workers} == {account(user).pw_uid for user in USERS}
    for pid in workers:
        who = pwd.getpwuid(int(status_of(pid)["Uid"].split()[0]))
        check_fenced(pid, who.pw_uid, who.pw_gid, [who.pw_gid], f"the worker of {who.pw_name}")
        opened = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert [opened[fd] for fd in (0, 1, 2)] == ["/dev/null"] * 3, opened
        assert opened[3].startswith("socket:"), opened
        for fd, path in opened.items():
            assert fd <= 3 or path.startswith(str(homes / who.pw_name)), f"{who.pw_name} holds {path}"
    ledger.check(ledger.look(mta.maildirs()))


def wait_deferred(mta, recipient):
    return mta.wait_log(rf"to=<{re.escape(recipient)}>.*status=deferred \((.*)\)")[0][1]


def files_below(path):
    return sorted(str(p) for p in path.rglob("*") if p.is_file())


def test_a_user_gets_nothing_into_or_out_of_the_home_of_another(mta, ledger, homes):
    """Mail of a user whose mailbox leads, by a file or a link of its own, into somebody else's: neither read nor written there."""
    one, two = (account(user) for user in USERS)
    deliver(mta, ledger, f"ph-user2@{DOMAIN}")
    mta.wait_mails("ph-user2")
    before = files_below(homes)
    mta.line("thief", one.pw_uid, one.pw_gid, two.pw_dir)
    send(mta.trusted, "a@far.test", [f"thief@{VIRTUAL}"], ledger.message()[1])
    assert "ermission denied" in wait_deferred(mta, f"thief@{VIRTUAL}") or "somebody else's" in mta.words()
    link = mta.maildir("ph-user1")
    link.symlink_to(mta.maildir("ph-user2"))
    os.lchown(link, one.pw_uid, one.pw_gid)
    send(mta.trusted, "a@far.test", [f"ph-user1@{DOMAIN}"], ledger.message()[1])
    wait_deferred(mta, f"ph-user1@{DOMAIN}")
    assert files_below(homes) == before


@pytest.mark.parametrize("plant", ["fifo", "file", "link", "directory of root"])
def test_what_a_user_plants_instead_of_a_folder(mta, ledger, homes, plant):
    one = account("ph-user1")
    maildir = mta.maildir("ph-user1")
    maildir.mkdir(mode=0o700)
    os.chown(maildir, one.pw_uid, one.pw_gid)
    target = homes / "target"
    target.mkdir(mode=0o777, exist_ok=True)
    target.chmod(0o777)
    tmp = maildir / "tmp"
    if plant == "fifo":
        os.mkfifo(tmp)
    elif plant == "file":
        tmp.write_text("")
    elif plant == "link":
        tmp.symlink_to(target)
    else:
        tmp.mkdir(mode=0o777)
        tmp.chmod(0o777)
    send(mta.trusted, "a@far.test", [f"ph-user1@{DOMAIN}"], ledger.message()[1])
    wait_deferred(mta, f"ph-user1@{DOMAIN}")
    assert os.listdir(target) == []
    target.rmdir()


def test_mail_for_root_and_low_uids_is_not_delivered_as_them(mta, ledger, homes):
    with Client(mta.trusted) as client:
        client.hello()
        for name in ("root", "daemon", "posthorn-queue"):
            assert client.transaction("a@far.test", [f"{name}@{DOMAIN}"], ledger.message()[1])[-1].code != 250 \
                or int(account(name).pw_uid) >= 500
    low = homes / "low"
    low.mkdir(mode=0o777)
    low.chmod(0o1777)
    mta.line("zero", 0, 0, low)
    mta.line("low", 499, 499, low)
    mta.line("rootgroup", account("ph-user1").pw_uid, 0, low)
    mta.line("disk", account("ph-user1").pw_uid, 6, low)
    mta.line("spool", account("posthorn-queue").pw_uid, account("posthorn-queue").pw_gid, low)
    accepted = []
    with Client(mta.trusted) as client:
        client.hello()
        for name in ("zero", "low", "rootgroup", "disk", "spool"):
            if client.transaction("a@far.test", [f"{name}@{VIRTUAL}"], ledger.message()[1])[-1].code == 250:
                accepted.append(name)
    assert not {"zero", "low"} & set(accepted)
    for name in accepted:
        wait_deferred(mta, f"{name}@{VIRTUAL}")
    assert os.listdir(low) == []
    low.rmdir()


@pytest.mark.parametrize("name", [name for name, _, _ in SERVICES] + ["worker"])
def test_each_is_replaced_by_its_like(mta, ledger, name):
    deliver(mta, ledger, f"ph-user1@{DOMAIN}")
    mta.wait_mails("ph-user1")
    old = mta.kill_one(name)
    wait_for(lambda: old not in mta.pids(name), 10, f"the end of {name}")
    if name != "worker":
        user = dict((n, u) for n, u, _ in SERVICES)[name]
        [new] = wait_for(lambda: [p for p in mta.pids(name) if p != old and status_of(p)["Seccomp"].strip() == "2"][:1], 20, f"a new {name}")
        check_fenced(new, account(user).pw_uid, account(user).pw_gid, [], name)
    mta.wait_ready(20 * PATIENCE)
    deliver(mta, ledger, f"ph-user1@{DOMAIN}")
    mta.wait_mails("ph-user1", 2)
    ledger.check(ledger.look(mta.maildirs()))


def test_stop_leaves_no_process(mta, ledger):
    deliver(mta, ledger, f"ph-user1@{DOMAIN}")
    mta.wait_mails("ph-user1")
    ours = {mta.process.pid} | {pid for pid, _, _ in mta.children()}
    uids = {account(user).pw_uid for _, user, _ in SERVICES} | {account(user).pw_uid for user in USERS}
    mta.stop()
    left = [(pid, name) for pid, _, name, _ in processes() if pid in ours or (os.path.exists(f"/proc/{pid}") and os.stat(f"/proc/{pid}").st_uid in uids)]
    assert left == []


def test_killing_the_supervisor_leaves_no_process(mta, ledger):
    deliver(mta, ledger, f"ph-user1@{DOMAIN}")
    mta.wait_mails("ph-user1")
    ours = {pid for pid, _, _ in mta.children()}
    mta.process.kill()
    mta.process.wait(10)
    wait_for(lambda: not ours & {pid for pid, _, _, _ in processes()}, 15, "the end of all its children")
    mta.process = None
    mta.restart()


# -- what root opens -----------------------------------------------------------------------------------------------------


def run_refused(mta, words):
    """posthornd with what is there now must not start, and says why."""
    mta.spawn()
    assert mta.process.wait(20 * PATIENCE) != 0
    mta.process = None
    assert words in mta.words(), mta.words()


def test_a_run_directory_of_somebody_else_is_refused(mta):
    mta.stop()
    victim = mta.directory / "victim"
    victim.write_text("precious")
    lock = mta.run / "lock"
    lock.unlink()
    os.link(victim, lock)           # what its owner could do
    os.chown(mta.run, account("ph-user1").pw_uid, -1)
    run_refused(mta, "must be root's")
    os.chown(mta.run, 0, -1)
    mta.run.chmod(0o777)
    run_refused(mta, "must be root's")
    assert victim.read_text() == "precious"
    mta.run.chmod(0o755)
    lock.unlink()
    mta.restart()


def test_a_queue_folder_with_something_in_it_does_not_change_hands(mta):
    mta.stop()
    shutil.rmtree(mta.directory / "queue")
    etc = mta.directory / "queue"
    etc.mkdir(mode=0o700)
    (etc / "shadow").write_text("root's")
    run_refused(mta, "belongs to uid 0")
    assert etc.stat().st_uid == 0
    shutil.rmtree(etc)
    target = mta.directory / "elsewhere"
    target.mkdir()
    etc.symlink_to(target)
    run_refused(mta, str(etc))
    assert target.stat().st_uid == 0
    etc.unlink()
    mta.restart()


def test_the_log_is_not_opened_through_a_link_of_the_loggers(mta):
    """Whoever owns the logger can write to its folder: root must not open there what it finds."""
    mta.stop()
    logs = mta.directory / "logs"
    logs.mkdir()
    who = account("posthorn-log")
    os.chown(logs, who.pw_uid, who.pw_gid)
    victim = mta.directory / "victim"
    victim.write_text("root::0:0::/:\n")
    victim.chmod(0o600)
    (logs / "log").symlink_to(victim)
    mta.log = logs / "log"
    mta.configure({"log": {"target": f"file:{logs}/log"}})
    run_refused(mta, "Permission denied")
    assert victim.read_text() == "root::0:0::/:\n"
    (logs / "log").unlink()
    mta.restart()
    assert (logs / "log").stat().st_uid == who.pw_uid


# -- the control socket --------------------------------------------------------------------------------------------------

HOG = """
import socket, sys
held = []
for _ in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    held.append(s)
print("held", flush=True)
sys.stdin.read()
"""


def test_strangers_cannot_keep_the_operator_out(mta):
    """A stranger holds as many connections as there may be, and says nothing; root still has its own."""
    nobody = account("nobody")
    with subprocess.Popen([sys.executable, "-c", HOG, str(mta.run / "control")], user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hog:
        try:
            assert hog.stdout.readline() == "held\n"
            assert "queue" in mta.posthorn("status")
        finally:
            hog.stdin.close()
            hog.wait(10)


def test_strangers_nonsense_costs_only_themselves(mta):
    pids = sorted(mta.children())
    for garbage in (b"", b"\0" * 8, b"\xff" * 4096, b"GET / HTTP/1.0\r\n\r\n", os.urandom(65536)):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(mta.run / "control"))
            try:
                s.sendall(garbage)
                socket.send_fds(s, [b"\0\0\0\0\7\0\1\0"], [0, 1, 2])
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    assert "queue" in mta.posthorn("status")
    assert sorted(mta.children()) == pids


def test_no_program_of_ours_is_setuid():
    for path in build_directory().rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID) == 0, path
