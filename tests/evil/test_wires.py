"""Nonsense on every wire, from inside the process that has it: only that wire or that process ends; the others live, and mail goes on."""
import contextlib
import ssl
import struct

import pytest

import frames
from certificates import Authority
from client import Client, Closed, send
from fake_dns import FakeDns
from posthorn import DOMAIN, HOSTNAME, PATIENCE, Posthorn
from puppet import Gone, Strings
from sink import Sink
from waiting import wait_for

# How many wires each has to the others, one for each pair of roles.
WIRES = {"smtpd-mx-0": 4, "smtpd-trusted-0": 4, "smtpd-submission-0": 4, "relay-0": 1, "mda": 3, "queue": 7, "lookup": 7, "key": 3}
CAST = list(WIRES)

# The type that this process may send on a wire of this kind; for its row the first name that fits.
TYPES = {
    "submit": (("queue", 3), ("", 5)),
    "lookup": (("lookup", 2), ("mda", 3), ("", 1)),
    "auth": (("queue", 12), ("lookup", 6), ("", 1)),
    "deliver": (("queue", 3), ("", 2)),
    "key": (("key", 2), ("", 1)),
    "handoff": (("", 1),),
    "spawn": (("", 1),),
}

NONSENSE = {
    "an unknown type": lambda kind: frames.frame(250),
    "a body that ends early": lambda kind: frames.frame(kind, b"\1"),
    "a body that is too long": lambda kind: frames.frame(kind, bytes(4096)),
    "a length beyond all limits": lambda kind: frames.frame(kind, length=frames.FRAME_MAX + 1),
    "the greatest length": lambda kind: frames.frame(kind, length=0xffffffff),
    "two descriptors": lambda kind: frames.frame(kind, fds=2),
    "a descriptor that is not there": lambda kind: frames.frame(kind, bytes(8), fds=1),
    "a second handshake": lambda kind: frames.frame(0, b"\x31WHP"),
    "a byte that must be zero": lambda kind: struct.pack("<IHBB", 0, kind, 0, 1),
}


def type_of(name, kind):
    return next(number for prefix, number in TYPES[kind] if name.startswith(prefix))


@pytest.fixture(scope="module")
def cast(tmp_path_factory):
    """A posthorn whose processes are all puppets, and which keep no wire from the program; the sink behind it; the strings."""
    folder = tmp_path_factory.mktemp("cast")
    chain, key = Authority(folder / "authority").issue("main", HOSTNAME)
    settings = {"tls main": {"certificate": [str(chain)], "key": [str(key)]}, "listener submission": {"tls": ["main"]}}
    sink = Sink()
    dns = FakeDns({"far.test": {"MX": [(10, "mx.far.test")]}, "mx.far.test": {"A": ["127.0.0.1"]}})
    try:
        with Strings({name: [] for name in [*CAST, "logger"]}) as strings, \
                Posthorn(folder / "p", settings, dns=dns, mx_port=sink.port, environment=strings.environment) as mta:
            yield mta, sink, strings
    finally:
        sink.close()
        dns.close()


def others(mta, name):
    """Everybody but this one and what may come and go: lookup's disposable children, workers for mail."""
    return {(pid, words[0]) for pid, _, words in mta.children() if words[0] not in (name, "worker", "lookup")} | \
        {(pid, "lookup") for pid in mta.pids("lookup")[:1] if name != "lookup"}


def ended(puppet, wire):
    """Whether there is nobody at the other end any more: an empty write says so, and says nothing to anybody else."""
    try:
        return puppet("say", wire, "") != "worked"
    except Gone:
        return True


def mail_goes_on(mta, sink):
    """By each of its ways: a stranger's to a mailbox, a trusted one's to another host."""
    mails, relayed = len(mta.mails("bob")), len(sink.transactions)

    def accepted(address, recipient):
        try:
            return send(address, "a@far.test", [recipient], b"Subject: on\r\n\r\nand on\r\n").code == 250
        except (AssertionError, OSError, Closed):
            return False

    wait_for(lambda: accepted(mta.mx, f"bob@{DOMAIN}"), 20 * PATIENCE, lambda: "somebody at the mx port\n" + mta.words())
    wait_for(lambda: accepted(mta.submission, "someone@far.test"), 20 * PATIENCE, lambda: "somebody at the submission port\n" + mta.words())
    mta.wait_mails("bob", mails + 1)
    sink.wait(relayed + 1)


def spread(puppet, turn):
    """Nonsense on all of its wires at once, another kind on each; what was said on which."""
    said, kinds = {}, list(NONSENSE)
    # The one to the supervisor last: it costs the process.
    for number, wire in enumerate(sorted(wires_of(puppet), key=lambda wire: wire.startswith("spawn"))):
        what = kinds[(number + turn) % len(kinds)]
        said[wire] = what
        with contextlib.suppress(Gone):
            puppet.say(wire, NONSENSE[what](type_of(puppet.name, wire.split("-")[0])))
    return said


def wires_of(puppet):
    return [wire for wire in puppet.names() if wire.split("-")[0] in TYPES]


def whole(strings, name):
    """The puppet, when it has all of its wires again."""
    puppet = strings.grown(name)
    wait_for(lambda: len(wires_of(puppet)) >= WIRES[name], 10 * PATIENCE, lambda: f"the wires of {name}: {puppet.names()}")
    return puppet


def wait_ends(puppet, said):
    for wire, what in said.items():
        # Signatures are read when there is something to sign, and not before.
        if not (puppet.name == "key" and wire.startswith("key-")):
            wait_for(lambda wire=wire: ended(puppet, wire), 10, f"the end of {wire} after {what}")


def replace(mta, strings, puppet):
    """Ends it, if that has not happened yet, and waits for the next."""
    if puppet.pid in {pid for pid, _, _ in mta.children()}:
        mta.kill_one(puppet.name)
    return strings.after(puppet, puppet.name)


# In turns through the whole cast, so that each has lived for a while and is replaced at once.
@pytest.mark.parametrize("name", CAST)
@pytest.mark.parametrize("turn", (0, 3, 6))
def test_nonsense_on_its_wires_ends_nobody_else(cast, turn, name):
    mta, sink, strings = cast
    puppet = whole(strings, name)
    before = others(mta, name)
    wait_ends(puppet, spread(puppet, turn))
    assert others(mta, name) == before
    replace(mta, strings, puppet)
    mail_goes_on(mta, sink)
    assert others(mta, name) == before


@pytest.mark.parametrize("name", [*CAST, "logger"])
@pytest.mark.parametrize("what", ("an unknown type", "a body that ends early", "a length beyond all limits"))
def test_nonsense_to_the_supervisor_costs_the_process(cast, what, name):
    mta, sink, strings = cast
    puppet = strings.grown(name)
    before = others(mta, name)
    with contextlib.suppress(Gone):
        puppet.say("control", NONSENSE[what](20))
    strings.after(puppet, name)
    assert others(mta, name) == before
    mail_goes_on(mta, sink)


@pytest.mark.parametrize("name", CAST)
def test_descriptors_that_nobody_asked_for(cast, name):
    """Three on a frame that takes none, on every wire: closed, and the wire with them."""
    mta, sink, strings = cast
    puppet = whole(strings, name)
    before = others(mta, name)
    said = {wire: "descriptors" for wire in sorted(wires_of(puppet), key=lambda wire: wire.startswith("spawn"))}
    for wire in said:
        with contextlib.suppress(Gone):
            puppet("slip", wire, frames.frame(type_of(name, wire.split("-")[0]), b"", 1).hex())
    wait_ends(puppet, said)
    assert others(mta, name) == before
    replace(mta, strings, puppet)
    mail_goes_on(mta, sink)


def test_signatures_that_are_nonsense(cast):
    """What smtpd reads of them fails the handshake, and nothing else."""
    mta, sink, strings = cast
    key = whole(strings, "key")
    before = others(mta, "key")
    for wire in wires_of(key):
        key.say(wire, NONSENSE["a length beyond all limits"](2))
    with Client(mta.submission) as client, pytest.raises(ssl.SSLError):
        client.hello()
        assert client.command("STARTTLS").code == 220
        ssl._create_unverified_context().wrap_socket(client.sock)
    assert others(mta, "key") == before
    replace(mta, strings, key)
    mail_goes_on(mta, sink)
    with Client(mta.submission) as client:
        client.hello()
        wait_for(lambda: client.command("STARTTLS").code == 220, 10, "a key again")
        assert ssl._create_unverified_context().wrap_socket(client.sock).version() == "TLSv1.3"


def test_nonsense_to_the_logger(cast):
    """Datagrams of a process have no other end: each stands alone, and what cannot be read is said to be so."""
    mta, sink, strings = cast
    mx = strings["smtpd-mx-0"]
    before = {(pid, words[0]) for pid, _, words in mta.children() if words[0] != "lookup"}
    for data in (b"\0", bytes(12), bytes(60000), b"\xff" * 5000, frames.log_datagram(1, "x")[:-3], frames.log_datagram(1, "x" * 2049)):
        assert mx.say("log", data) == "worked"
    assert mx("slip", "log", frames.log_datagram(1, "with descriptors").hex()) == "worked"
    mta.wait_log(r"warning: the rest of a log datagram cannot be read")
    mta.wait_log(r"with descriptors")
    assert {(pid, words[0]) for pid, _, words in mta.children() if words[0] != "lookup"} == before
    mail_goes_on(mta, sink)


def test_only_queue_may_ask_for_the_end(posthorn, sink):
    with Strings({"smtpd-mx-0": [], "queue": []}) as strings:
        mta = posthorn(environment=strings.environment)
        mx = strings["smtpd-mx-0"]
        with contextlib.suppress(Gone):
            mx.say("control", frames.frame(13))         # REQUEST_STOP
        strings.after(mx, "smtpd-mx-0")
        mail_goes_on(mta, sink)
        with contextlib.suppress(Gone):
            strings["queue"].say("control", frames.frame(13))
        mta.process.wait(20 * PATIENCE)
        mta.expect_dirty_stop = True


@pytest.mark.parametrize("wire, data", [
    ("submit-queue", frames.frame(frames.SUBMIT["WANT_IDS"]) * 4000),
    ("submit-queue", b"".join(frames.frame(frames.SUBMIT["LARGE_OPEN"], frames.u64(n) + b"\0") for n in range(1, 2000))),
    ("lookup-lookup", b"".join(frames.frame(frames.LOOKUP["ROUTE"], frames.route_question(n, *[f"x{n}.{k}@{DOMAIN}" for k in range(100)]))
                               for n in range(1, 60))),
], ids=["ids", "files", "routes"])
def test_a_flood_is_not_felt_by_others(posthorn, sink, wire, data):
    """Well-formed questions, more than anybody reads, and no answer is ever read: whoever answers stops reading, and serves the others."""
    with Strings({"smtpd-mx-0": [wire]}) as strings:
        mta = posthorn(environment=strings.environment)
        before = others(mta, "smtpd-mx-0")
        flooded = frames.Wire(strings["smtpd-mx-0"].wire(wire), wire.split("-")[0])
        flooded.sock.settimeout(0.3)
        with contextlib.suppress(TimeoutError, frames.Ended):
            for _ in range(40):
                flooded.raw(data)
        mail_goes_on(mta, sink)
        assert others(mta, "smtpd-mx-0") == before
        flooded.sock.close()
