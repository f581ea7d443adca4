"""Well-formed lies of those who deliver: relay, mda and workers; and of lookup and logger, whom the others hear."""
import contextlib
import os
import pwd
import re
import signal

import pytest

import frames
from client import Client, send
from frames import DELIVERED, FAILED, RELAYED, Wire
from posthorn import DOMAIN, kill
from privileged import privileged, two_homes
from puppet import Gone, Strings
from waiting import wait_for

OURS, BOBS, FAR = f"alice@{DOMAIN}", f"bob@{DOMAIN}", "someone@far.test"
CONTENT = b"Subject: precious\r\n\r\nto be delivered once\r\n"


@pytest.fixture
def owned(posthorn):
    """A function: posthorn, and strings to one process that has kept these wires for itself."""
    with contextlib.ExitStack() as stack:
        def start(name, *wires, settings=None, **options):
            strings = stack.enter_context(Strings({name: list(wires)}))
            return posthorn(settings, environment=strings.environment, **options), strings

        yield start


def honest_again(mta, strings, name):
    """Its successor keeps nothing."""
    strings.keeps[name] = []
    puppet = strings.newest(name)
    if puppet.pid in {pid for pid, _, _ in mta.children()}:
        kill(puppet.pid)
    return strings.after(puppet, name)


# -- relay -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def relay(owned):
    """posthorn, strings, and relay's deliver wire after HELLO; one message has become a job of its: (lease, id, content, recipients)."""
    mta, strings = owned("relay-0", "deliver-queue")
    wire = Wire(strings["relay-0"].wire("deliver-queue"), "deliver")
    wire.send("HELLO", frames.hello(10))
    with send_two(mta):
        job = frames.job(wire.expect("JOB")[1])
    assert job[3] == [(1, FAR)], "the other recipient is mda's"
    return mta, strings, wire, job


@contextlib.contextmanager
def send_two(mta):
    assert send(mta.trusted, "a@far.test", [OURS, FAR], CONTENT).code == 250
    yield
    mta.wait_mails("alice")


def wait_committed(wire, lease):
    """COMMITTED goes to every agent, whose lease it may be."""
    while wire.expect("COMMITTED")[1].take("Q") != lease:
        pass


def is_kept(mta):
    """The message is in the queue, for the recipient that nobody has had."""
    [item] = mta.queue()
    assert [r["address"] for r in item["recipients"]] == [FAR]


def still_arrives(mta, strings, sink):
    """An honest relay sends what the owned one could not make away with, once."""
    honest_again(mta, strings, "relay-0")
    [transaction] = sink.wait(1)
    assert transaction.recipients == [FAR]
    mta.wait_empty()
    assert len(sink.transactions) == 1 and len(mta.mails("alice")) == 1


def test_what_a_relay_is_there_to_say(relay, sink):
    """The control of all below: believed about its own job."""
    mta, _, wire, (lease, queue_id, content, _) = relay
    assert content.endswith(b"to be delivered once\r\n")
    wire.send("RESULTS", frames.results(lease, queue_id, (1, RELAYED, (2, 0, 0))))
    wait_committed(wire, lease)
    mta.wait_empty()
    assert sink.transactions == []


@pytest.mark.parametrize("lie", ["another lease", "no recipient of it", "the recipient of another job"])
def test_results_that_are_not_its_own_change_nothing(relay, sink, lie):
    mta, strings, wire, (lease, queue_id, _, _) = relay
    lease += {"another lease": 1}.get(lie, 0)
    index = {"another lease": 1, "no recipient of it": 7, "the recipient of another job": 0}[lie]
    wire.send("RESULTS", frames.results(lease, queue_id, (index, FAILED, (5, 0, 0)), finished=lie == "another lease"))
    wire.send("RESULTS", frames.results(1 << 40, queue_id, (0, FAILED, (5, 0, 0))))
    wait_committed(wire, 1 << 40)       # both were read: what nobody knows is to be forgotten
    is_kept(mta)
    if lie == "another lease":
        still_arrives(mta, strings, sink)


@pytest.mark.parametrize("lie", ["another message", "a second HELLO", "CANCEL", "COMMITTED", "JOB", "a recipient beyond all", "no action",
                                 "damaged and not finished"])
def test_what_costs_a_relay_its_wire(relay, sink, lie):
    mta, strings, wire, (lease, queue_id, _, _) = relay
    fine = (1, DELIVERED, (2, 0, 0))
    kind, body = {
        "another message": ("RESULTS", frames.results(lease, queue_id + 1, fine)),
        "a second HELLO": ("HELLO", frames.hello(10)),
        "CANCEL": ("CANCEL", frames.u64(lease)),
        "COMMITTED": ("COMMITTED", frames.u64(lease)),
        "JOB": ("JOB", bytes(100)),
        "a recipient beyond all": ("RESULTS", frames.results(lease, queue_id, (10000, DELIVERED, (2, 0, 0)))),
        "no action": ("RESULTS", frames.results(lease, queue_id, (1, 0, (2, 0, 0)))),
        "damaged and not finished": ("RESULTS", frames.results(lease, queue_id, fine, finished=False, damaged=True)),
    }[lie]
    wire.send(kind, body)
    assert wire.ended()
    is_kept(mta)
    if lie == "another message":
        still_arrives(mta, strings, sink)


def test_leases_that_it_makes_up(relay, sink):
    """Only who has lived longer than queue has leases from before: a relay that came later would be claiming others' mail."""
    mta, strings, wire, (lease, queue_id, _, _) = relay
    kill(strings["relay-0"].pid)
    second = strings.after(strings["relay-0"], "relay-0")
    forged = Wire(second.wire("deliver-queue"), "deliver")
    forged.send("HELLO", frames.hello(10, (lease + 1000, queue_id, [0, 1])))
    with contextlib.suppress(frames.Ended):
        forged.send("RESULTS", frames.results(lease + 1000, queue_id, (1, DELIVERED, (2, 0, 0))))
    assert forged.ended()
    still_arrives(mta, strings, sink)


@pytest.mark.parametrize("what", ["results before HELLO", "more credit than there is"])
def test_a_relay_that_begins_wrongly(owned, sink, what):
    mta, strings = owned("relay-0", "deliver-queue")
    wire = Wire(strings["relay-0"].wire("deliver-queue"), "deliver")
    if what.startswith("results"):
        wire.send("RESULTS", frames.results(1, 1))
    else:
        wire.send("HELLO", frames.hello(65537))
    assert wire.ended()
    assert send(mta.trusted, "a@far.test", [OURS, FAR], CONTENT).code == 250
    mta.wait_mails("alice")
    still_arrives(mta, strings, sink)


# -- mda and the supervisor ------------------------------------------------------------------------------------------------


@pytest.fixture
def spawn(owned):
    mta, strings = owned("mda", "spawn-supervisor", settings={"mda": {"max-workers": 3}})
    return mta, strings, Wire(strings["mda"].wire("spawn-supervisor"), "spawn")


def test_workers_of_this_user_and_no_more_than_there_may_be(spawn):
    _, _, wire = spawn
    me, group = os.getuid(), os.getgid()
    for number in range(1, 6):
        wire.send("START", frames.spawn_start(number, me, group))
        assert wire.expect("STARTED", "REFUSED")[0] == ("STARTED" if number <= 3 else "REFUSED")
    assert len(wire.fds) == 3
    for fd in wire.fds:
        os.close(fd)
    for _ in range(3):
        wire.expect("ENDED")


@pytest.mark.parametrize("uid, gid", [(1, 1), (65534, 65534), (0x7fffffff, 1)])
def test_workers_of_other_users(spawn, uid, gid):
    """Without root nobody else can be had; what is refused as root stands in tests/unit/control/test_spawn.c."""
    mta, _, wire = spawn
    wire.send("START", frames.spawn_start(1, uid, gid))
    assert wire.expect("STARTED", "REFUSED")[0] == "REFUSED"
    assert mta.pids("worker") == []


@pytest.mark.parametrize("start", [
    frames.spawn_start(1, 0, 0), frames.spawn_start(1, 0, 1000), frames.spawn_start(1, 0xffffffff, 1000), frames.spawn_start(1, 1000, 0xffffffff),
    frames.spawn_start(1, 1000, 1000, "root\0x"), frames.spawn_start(1, 1000, 1000, "x" * 257),
], ids=["root", "root's uid", "uid -1", "gid -1", "a name with a NUL", "a long name"])
def test_what_costs_mda_its_life(spawn, request, start):
    mta, strings, wire = spawn
    wire.send("START", start)
    assert wire.ended()
    assert mta.pids("worker") == [] and "queue" in mta.posthorn("status")
    mta.wait_log(r"the spawn wire of mda ended: a bad frame")
    if request.node.callspec.id == "root":
        honest_again(mta, strings, "mda")
        assert send(mta.trusted, "a@far.test", [OURS], CONTENT).code == 250
        mta.wait_mails("alice")


@pytest.mark.root_only
@pytest.mark.skipif(os.getuid() != 0, reason="needs root: several uids")
def test_whom_root_lets_mda_be(dns, sink):
    """C16: never root, never one of posthorn's own, nobody below first-uid, no user with another's groups; the last row is the control."""
    with two_homes() as homes, Strings({"mda": ["spawn-supervisor"]}) as strings, \
            privileged(homes, dns, sink, environment=strings.environment) as mta:
        wire = Wire(strings["mda"].wire("spawn-supervisor"), "spawn")
        user, other, queue, smtpd = (pwd.getpwnam(name) for name in ("ph-user1", "ph-user2", "posthorn-queue", "posthorn-smtpd"))
        rows = [
            (queue.pw_uid, queue.pw_gid, "", "REFUSED"), (smtpd.pw_uid, smtpd.pw_gid, "posthorn-smtpd", "REFUSED"),
            (user.pw_uid, queue.pw_gid, "", "REFUSED"), (user.pw_uid, 0, "", "REFUSED"), (user.pw_uid, 0, "root", "REFUSED"),
            (499, 499, "", "REFUSED"), (1, 1, "daemon", "REFUSED"), (user.pw_uid, 6, "", "REFUSED"),
            (user.pw_uid, user.pw_gid, user.pw_name, "STARTED"),
        ]
        for number, (uid, gid, name, wanted) in enumerate(rows, 1):
            wire.send("START", frames.spawn_start(number, uid, gid, name))
            assert wire.expect("STARTED", "REFUSED")[0] == wanted, (uid, gid, name)
        [worker] = wait_for(lambda: mta.pids("worker"), 10, "the worker")
        assert os.stat(f"/proc/{worker}/task").st_uid in (user.pw_uid, 0)
        # The name of one with the ids of another: the program is never run, and the rest is told by its end.
        wire.send("START", frames.spawn_start(77, user.pw_uid, user.pw_gid, other.pw_name))
        name, body = wire.expect("REFUSED", "STARTED")
        assert name == "REFUSED" or wire.expect("ENDED")[1].take("Q") == 77
        assert mta.pids("worker") == [worker]
        for fd in wire.fds:
            os.close(fd)


# -- a worker and mda ------------------------------------------------------------------------------------------------------


class Worker:
    """A worker whose conversation with mda the test has taken over, behind the frame OPEN."""

    def __init__(self, strings, before):
        wait_for(lambda: len(strings.found["worker"]) > before, 20, "a worker")
        self.puppet = strings["worker"]
        self.wire = Wire(self.puppet.wire("mailbox"), "mailbox", greet=False)

    def open(self, maildir):
        maildir.mkdir(exist_ok=True)
        fd = os.open(maildir, os.O_RDONLY)
        self.wire.send("OPENED", fds=[fd])
        os.close(fd)
        return self.wire.expect("DELIVER")[1].take("Q")


def ids(*numbers):
    return frames.u32(len(numbers)) + b"".join(map(frames.u64, numbers))


@pytest.fixture
def worker(owned):
    mta, strings = owned("worker", settings={"queue": {"retry": ["300ms"]}})
    assert send(mta.trusted, "a@far.test", [OURS], CONTENT).code == 250
    return mta, strings, Worker(strings, 0)


def all_go_on(strings, seen):
    """Lets every worker that comes be an honest one."""
    for puppet in strings.found["worker"][len(seen):]:
        seen.append(puppet)
        with contextlib.suppress(Gone, OSError):
            puppet.go_on()
    return True


def arrives(mta, strings, user, count=1):
    seen = [strings.found["worker"][0]]
    wait_for(lambda: all_go_on(strings, seen) and len(mta.mails(user)) >= count, 30, lambda: f"mail of {user}\n" + mta.words())


@pytest.mark.parametrize("lie", ["written twice", "renamed before the sync", "an id that it does not have", "never", "a descriptor", "another frame"])
def test_lies_of_a_worker_cost_the_worker(worker, lie):
    """Its mail waits for the next one, and comes once; nothing that it says is final."""
    mta, strings, owned = worker
    mail = owned.open(mta.maildir("alice"))
    refused = frames.u64(mail) + b"\0" + b"\5" + b"\5\0\1\0" + frames.text("there is no such user")
    with contextlib.suppress(frames.Ended):
        if lie == "written twice":
            owned.wire.send("WRITTEN", ids(mail, mail))
        elif lie == "renamed before the sync":
            owned.wire.send("RENAMED", ids(mail))
        elif lie == "an id that it does not have":
            owned.wire.send("WRITTEN", ids(mail + 1))
        elif lie == "never":
            owned.wire.send("REFUSED", refused)
        elif lie == "a descriptor":
            owned.wire.send("WRITTEN", ids(mail), fds=[0])
        else:
            owned.wire.send("DELIVER", bytes(100))
    assert owned.wire.ended()
    arrives(mta, strings, "alice")
    mta.wait_empty()
    assert len(mta.mails("alice")) == 1


def test_a_worker_knows_nothing_of_another_users_mail(worker):
    """Bob's copy is with bob's worker; alice's says that it is done. Alice's goes, and bob has his mail."""
    mta, strings, alice = worker
    alice.open(mta.maildir("alice"))
    assert send(mta.trusted, "a@far.test", [BOBS], CONTENT).code == 250
    bob = Worker(strings, 1)
    his = bob.open(mta.maildir("bob"))
    for said in ("WRITTEN", "STORED", "RENAMED"):
        with contextlib.suppress(frames.Ended):
            alice.wire.send(said, ids(his))
    assert alice.wire.ended()
    bob.wire.sock.settimeout(0.2)
    assert not bob.wire.ended(), "his worker is not touched"
    kill(bob.puppet.pid)
    bob.wire.sock.close()
    arrives(mta, strings, "bob")
    arrives(mta, strings, "alice")
    mta.wait_empty()
    assert [len(mta.mails(user)) for user in ("alice", "bob")] == [1, 1]


def test_a_worker_gets_to_no_other_mailbox(owned):
    """C17: from inside, with both users' files there; its own mailbox is the control."""
    mta, strings = owned("worker")
    assert send(mta.trusted, "a@far.test", [OURS], CONTENT).code == 250
    puppet = strings["worker"]
    mta.maildir("bob").mkdir()
    (mta.maildir("bob") / "mail").write_text("bob's")
    for verb in ("read", "write", "truncate", "unlink", "chmod"):
        assert puppet(verb, mta.maildir("bob") / "mail").startswith("refused"), verb
    for verb, path in (("create", mta.maildir("bob") / "x"), ("list", mta.maildir("bob")), ("mkdir", mta.mail / "x"), ("list", mta.mail)):
        assert puppet(verb, path).startswith("refused"), verb
    for verb in ("create", "read", "unlink"):
        assert puppet(verb, mta.maildir("alice") / "x") == "worked", verb
    puppet.go_on()
    mta.wait_mails("alice")


# -- lookup ----------------------------------------------------------------------------------------------------------------


def talk(address):
    client = Client(address)
    client.hello()
    return client


def answer(wire, change=lambda serial: serial, **what):
    """One answer to the next question; `what` is wrong with it."""
    name, body = wire.expect("ROUTE", "MAILBOX")
    serial, count = body.take("Q"), body.take("I")
    wire.send("ROUTES", frames.route_answer(change(serial), what.get("verdict", frames.LOCAL), what.get("transport", 1), what.get("nexthop", OURS),
                                            what.get("count", count), what.get("ttl", 0)))
    return name


@pytest.mark.parametrize("lie", [{"verdict": 9}, {"verdict": 0}, {"transport": 7}, {"nexthop": b""}, {"nexthop": b"a\0b"}, {"count": 0}, {"count": 129}],
                         ids=lambda lie: str(lie))
def test_answers_that_cannot_be(owned, lie):
    """They cost lookup this wire; the client is told to come again, never that there is no such user."""
    mta, strings = owned("lookup", "lookup-trusted", ready=False)
    wire = Wire(strings["lookup"].wire("lookup-trusted"), "lookup")
    with talk(mta.trusted) as client:
        client.send(f"MAIL FROM:<a@far.test>\r\nRCPT TO:<{OURS}>\r\n".encode())
        answer(wire, **lie)
        assert [client.reply().code, client.reply().code] == [250, 451]
        assert wire.ended()


def test_answers_to_nobodys_question(owned):
    """A serial that was not asked is passed over; so is a second answer."""
    mta, strings = owned("lookup", "lookup-trusted", ready=False)
    wire = Wire(strings["lookup"].wire("lookup-trusted"), "lookup")
    with talk(mta.trusted) as client:
        client.send(f"MAIL FROM:<a@far.test>\r\nRCPT TO:<{OURS}>\r\n".encode())
        _, body = wire.expect("ROUTE")
        serial = body.take("Q")
        for number in (serial + 77, serial, serial):
            wire.send("ROUTES", frames.route_answer(number, frames.LOCAL if number == serial else frames.UNKNOWN, 1, OURS))
        assert [client.reply().code, client.reply().code] == [250, 250]


@pytest.mark.parametrize("uid, gid", [(0, 0), (1, 1)])
def test_a_mailbox_of_root(owned, uid, gid):
    """What lookup makes up about a user is no order: the mail waits, and nobody delivers it as root."""
    mta, strings = owned("lookup", "lookup-mda", settings={"queue": {"retry": ["300ms"]}})
    wire = Wire(strings["lookup"].wire("lookup-mda"), "lookup")
    assert send(mta.trusted, "a@far.test", [OURS], CONTENT).code == 250
    serial = wire.expect("MAILBOX")[1].take("Q")
    wire.send("MAILBOX_OF", frames.u64(serial) + frames.u8(frames.LOCAL) + frames.u32(uid) + frames.u32(gid) + frames.text("") +
              frames.text("/") + frames.text(str(mta.maildir("alice"))) + b"\0" + frames.text(""))
    mta.wait_log(r"nothing is delivered as root|cannot deliver as uid")
    assert mta.mails("alice") == [] and mta.pids("worker") == []
    honest_again(mta, strings, "lookup")
    mta.wait_mails("alice")


# -- logger ----------------------------------------------------------------------------------------------------------------


def test_a_line_has_the_name_of_its_sender(owned):
    """C21: role and process id are the kernel's; a line of a line is escaped; the process number is nobody's word."""
    mta, strings = owned("smtpd-mx-0")
    mx = strings["smtpd-mx-0"]
    forged = "canary\nNov 30 00:00:00 mx.test.example postfix/queue[1]: 0000000000000: removed\r\x1b[2J\u202e"
    assert mx.say("log", frames.log_datagram(3, forged)) == "worked"
    mta.wait_log("canary")
    lines = [line for line in mta.log_lines() if "canary" in line or "postfix/queue[1]" in line]
    assert len(lines) == 1 and re.search(rf" postfix/smtpd\[{mx.pid}\]: ", lines[0]), lines
    assert not re.search("[\x00-\x1f\x7f\u202e]", lines[0])


def test_a_logger_that_stands_still_holds_up_nobody(owned, sink):
    """C21: mail goes on, and a process that floods its log socket meanwhile only fills that."""
    mta, strings = owned("relay-0")
    [logger] = mta.pids("logger")
    os.kill(logger, signal.SIGSTOP)
    try:
        said = [strings["relay-0"].say("log", frames.log_datagram(1, "flood " + "x" * 2000)) for _ in range(2000)]
        assert said[0] == "worked" and said[-1] == "refused EAGAIN"
        for number in range(5):
            assert send(mta.trusted, "a@far.test", [OURS, FAR], CONTENT).code == 250
            mta.wait_mails("alice", number + 1)
        sink.wait(5)
        mta.wait_empty()
    finally:
        os.kill(logger, signal.SIGCONT)
    mta.wait_log("status=sent", count=10)
