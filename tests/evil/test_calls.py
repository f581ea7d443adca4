"""What an owned process asks of the kernel: every attack, by every process, from inside its sandbox.

The table says who may do it after all; everybody else has to be refused. The control makes the same attacks from a process of the same
user without a sandbox, where they work: so no refusal comes from anything but the sandbox.
"""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from client import send
from ledger import Ledger, maildir_files
from fake_dns import FakeDns
from ports import free_ports
from posthorn import DOMAIN, Posthorn
from privileged import privileged, two_homes
from puppet import Gone, Strings
from sink import Sink
from waiting import wait_for

SMTPD = {"smtpd-mx-0", "smtpd-trusted-0", "smtpd-submission-0"}
NET = SMTPD | {"relay-0"}
FILES = {"queue", "worker", "lookup"}
CAST = [*sorted(SMTPD), "relay-0", "mda", "worker", "queue", "lookup", "key", "logger"]
REFUSALS = {"refused EPERM", "refused EACCES", "refused ENOENT", "refused ENOSYS", "refused ENOTTY", "refused EAFNOSUPPORT"}

# order, whom it is granted, whether it works for root only where there is no sandbox. {file}: of the same user, outside all that is granted.
ATTACKS = [
    ("read /etc/passwd", {"lookup"}, False),
    ("read {file}", {"lookup"}, False),
    ("read {mail}", {"worker", "lookup"}, False),
    ("read {segment}", {"queue", "lookup"}, False),
    ("read {conf}", {"lookup"}, False),
    ("read {lock}", {"lookup"}, False),
    ("read /proc/self/maps", {"lookup"}, False),
    ("read /proc/{pid}/environ", set(), False),
    ("write /proc/self/mem", set(), False),
    ("write {file}", set(), False),
    ("write {mail}", {"worker"}, False),
    ("write {segment}", {"queue"}, False),
    ("create {folder}/new", set(), False),
    ("create {run}/new", set(), False),
    ("create {queue}/new", {"queue"}, False),
    ("create {maildir}/new/evil", {"worker"}, False),
    ("create /dev/shm/{name}", set(), False),
    ("tmpfile {folder}", set(), False),
    ("stat {file}", FILES, False),
    ("statx {file}", FILES, False),
    ("list /", {"lookup"}, False),
    ("list {folder}", {"lookup"}, False),
    ("rename {file}", set(), False),
    ("link {file}", set(), False),
    ("symlink {folder}/new", set(), False),
    ("symlink {maildir}/new/evil", set(), False),
    ("symlink {queue}/new", set(), False),
    ("unlink {victim}", set(), False),
    ("mkdir {folder}/new", set(), False),
    ("fifo {folder}/new", set(), False),
    ("fifo {maildir}/new/evil", set(), False),
    ("chmod {file}", set(), False),
    ("setuid-bit {file}", set(), False),
    ("chown {file}", set(), False),
    ("truncate {file}", set(), False),
    ("watch {file}", set(), False),
    ("climb /etc/passwd", {"lookup"}, False),
    ("handle {file}", set(), True),
    ("chroot /", set(), True),
    ("mount /mnt", set(), True),

    ("tcp {port}", set(), False),
    ("tcp {dns}", NET, False),
    ("tcp {sink}", {"relay-0"}, False),
    ("unix {socket}", {"lookup", "logger"}, False),
    ("bind {free}", set(), False),
    ("bind 0", NET, False),
    ("listen {free}", set(), False),
    ("family 16", set(), False),
    ("family 17", set(), True),

    ("fork", {"lookup"}, False),
    ("clone3", set(), False),
    ("exec /bin/true", set(), False),
    ("exec-memory", set(), False),
    ("ptrace {pid}", set(), False),
    ("kill {pid}", set(), False),
    ("tgkill {pid}", set(), False),
    ("pidfd {pid}", set(), False),
    ("owner {pid}", set(), False),
    ("peek {pid}", set(), False),
    ("limits-of {pid}", set(), False),
    ("priority {pid}", set(), False),

    ("same-ids", set(), False),
    ("setuid 0", set(), True),
    ("setgroups", set(), True),
    ("limits", set(), False),
    ("unshare", set(), False),
    ("unshare-net", set(), False),
    ("setns", set(), False),
    ("dumpable", set(), False),
    ("keep-caps", set(), False),
    ("capabilities", set(), False),
    ("hostname", set(), True),
    ("map-code", set(), False),
    ("protect-code", set(), False),
    ("pkey-code", set(), False),
    ("code-file", {"lookup"}, False),
    ("personality", set(), False),
    ("shared-memory", set(), False),
    ("keys", set(), False),
    ("add-key", set(), False),
    ("bpf", set(), True),
    ("io-uring", set(), False),
    ("perf", set(), True),
    ("userfault", set(), False),
    ("fanotify", set(), True),
    ("module", set(), True),
    ("accounting", set(), True),
    ("own-landlock", set(), False),
    ("ioctl", set(), False),
]

# Where users are apart, what is another's is not granted to who may read everything as itself.
ROOTS_OWN = {"read {mail}": {"worker"}, "read {segment}": {"queue"}}


@dataclasses.dataclass
class Scene:
    mta: Posthorn
    strings: Strings
    things: dict


@contextlib.contextmanager
def targets(folder):
    """A process to attack, a port and a socket where somebody listens, files."""
    folder.mkdir()
    for name in ("file", "victim"):
        (folder / name).write_text("x")
    listener, name = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    name.bind(str(folder / "socket"))
    name.listen(256)
    (folder / "socket").chmod(0o777)
    listener.listen(256)
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        try:
            yield {"folder": folder, "file": folder / "file", "victim": folder / "victim", "socket": folder / "socket",
                   "port": listener.getsockname()[1], "pid": sleeper.pid, "free": free_ports(1)[0]}
        finally:
            sleeper.kill()
            listener.close()
            name.close()


@contextlib.contextmanager
def started(top, dns, sink, environment):
    """As whoever we are: root's has accounts of its own, and lets a user of the system have mail."""
    if os.getuid() == 0:
        with two_homes() as homes, privileged(homes, dns, sink, environment=environment) as mta:
            yield mta, "ph-user1"
    else:
        with Posthorn(top / "p", {"mda": {"worker-idle": "60s"}}, dns=dns, mx_port=sink.port, environment=environment) as mta:
            yield mta, "alice"


@pytest.fixture(scope="module")
def scene():
    """One posthorn whose processes are all puppets; its worker has mail, and holds it until it is told."""
    top, dns, sink = pathlib.Path(tempfile.mkdtemp(prefix="ph-evil.")), FakeDns({}), Sink()
    top.chmod(0o755)
    try:
        with Strings({name: [] for name in CAST}) as strings, targets(top / "targets") as things, \
                started(top, dns, sink, strings.environment) as (mta, user):
            content = Ledger().message()[1]
            send(mta.trusted, "a@far.test", [f"{user}@{DOMAIN}"], content)
            strings["worker"].go_on()
            mta.wait_mails(user)
            mta.kill_one("worker")
            send(mta.trusted, "a@far.test", [f"{user}@{DOMAIN}"], content)
            wait_for(lambda: len(strings.found["worker"]) == 2, 20, "a second worker")
            queue = mta.directory / "queue"
            things |= {"run": mta.run, "lock": mta.run / "lock", "conf": mta.conf, "queue": queue, "maildir": mta.maildir(user),
                       "segment": sorted((queue / "journal").glob("*.seg"))[0], "dns": int(dns.address.rsplit(":", 1)[1]),
                       "sink": sink.port, "mail": next(maildir_files(mta.maildir(user)))}
            yield Scene(mta, strings, things)
            strings["worker"].go_on()
    finally:
        dns.close()
        sink.close()
        shutil.rmtree(top, ignore_errors=True)


def make(puppet, scene, order):
    """The answer; what a success has made is gone afterwards, and what it has removed is back."""
    verb, _, argument = order.format(**scene.things, name=f"posthorn-evil-{os.getpid()}").partition(" ")
    said = puppet(verb, argument)
    if said == "worked" and verb == "create":
        pathlib.Path(argument).unlink()
    elif said == "worked" and verb == "unlink":
        pathlib.Path(argument).write_text("x")
    return said


AS_BOTH = pytest.mark.parametrize("root", [False, pytest.param(True, marks=pytest.mark.root_only)], ids=["user", "root"])


def only_as(root):
    if root != (os.getuid() == 0):
        pytest.skip("needs root" if root else "not as root")


@pytest.mark.parametrize("name", CAST)
@AS_BOTH
def test_an_owned_process_gets_what_the_table_says(request, root, name):
    only_as(root)
    scene = request.getfixturevalue("scene")
    puppet, wrong = scene.strings[name], []
    for order, granted, _ in ATTACKS:
        said = make(puppet, scene, order)
        granted = ROOTS_OWN.get(order, granted) if root else granted
        if said not in ({"worked"} if name in granted else REFUSALS):
            wrong.append(f"{name}: {order}: {said}")
    assert wrong == []
    assert scene.strings[name] is puppet, "it did not live through it"


@AS_BOTH
def test_without_a_sandbox_each_of_them_works(request, root):
    """But for what this kernel has not got at all."""
    only_as(root)
    scene = request.getfixturevalue("scene")
    puppet, said = scene.strings.free(), {}
    for order, _, for_root in ATTACKS:
        if root or not for_root:
            said[order] = make(puppet, scene, order)
    assert {order: word for order, word in said.items() if word not in ("worked", "refused ENOSYS")} == {}
    assert list(said.values()).count("refused ENOSYS") <= 3, said


def test_what_is_refused_can_end_the_process_instead(posthorn):
    """With POSTHORN_SANDBOX_KILL=1, as the tests of a whole day's mail run: so those see every call that is on no list."""
    with Strings({"relay-0": []}) as strings:
        mta = posthorn(environment={**strings.environment, "POSTHORN_SANDBOX_KILL": "1"})
        first = strings["relay-0"]
        with pytest.raises(Gone):
            first("keys")
        mta.wait_log(rf"relay-0 .*signal {int(signal.SIGSYS)}")
        assert strings.after(first, "relay-0").pid != first.pid
