"""Well-formed lies of an owned smtpd: what it submits, asks and hands over, in each of its roles."""
import base64
import contextlib
import fcntl
import hashlib
import os
import socket
import subprocess

import pytest

import frames
from certificates import Authority
from client import Client, send
from frames import DURABLE, REFUSED, TRY_LATER, Ended, Submit, Wire
from logins import PASSWORD, password_file
from posthorn import DOMAIN, HOSTNAME
from puppet import Strings
from waiting import wait_for

OURS, FAR = f"alice@{DOMAIN}", "someone@far.test"
CONTENT = b"Subject: from inside\r\n\r\nI am no client.\r\n"
FATE = frames.u8(frames.DELIVERED) + b"\0" + frames.text("") * 2 + frames.u32(1) + frames.u64(0) + b"\0"
GUESS = (0x0123456789abcdef, 0xfedcba9876543210)


@pytest.fixture
def owned(posthorn):
    """A function: posthorn, and one of its processes, which has kept these wires for itself."""
    with contextlib.ExitStack() as stack:
        def start(name, *wires, settings=None, **options):
            strings = stack.enter_context(Strings({name: list(wires)}))
            mta = posthorn(settings, ready=False, environment=strings.environment, **options)
            return mta, strings[name]

        yield start


def queued(mta):
    """Answers of a queue that is there: a list, maybe an empty one."""
    wait_for(lambda: mta.command("mailq").returncode == 0, 20, "an answer of queue")
    return mta.queue()


# -- submit ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, recipients, wanted", [
    ("smtpd-mx-0", [OURS], DURABLE),
    ("smtpd-mx-0", [FAR], REFUSED),
    ("smtpd-mx-0", [OURS, FAR], REFUSED),
    ("smtpd-mx-0", [f"nobody-at-all@{DOMAIN}"], REFUSED),
    ("smtpd-mx-0", ["someone@[127.0.0.1]"], REFUSED),
    ("smtpd-mx-0", [FAR + "\0" + OURS], None),
    ("smtpd-trusted-0", [FAR], DURABLE),
])
def test_recipients_of_strangers(owned, sink, name, recipients, wanted):
    """An mx worker relays for nobody, whatever it says (C8). None: the frame itself is refused."""
    mta, smtpd = owned(name, "submit-queue")
    wire = Submit(smtpd.wire("submit-queue"))
    if wanted is None:
        with pytest.raises(Ended):
            wire.verdict("a@far.test", recipients, CONTENT)
    else:
        assert wire.verdict("a@far.test", recipients, CONTENT) == wanted
    if wanted == DURABLE and recipients == [OURS]:
        mta.wait_mails("alice")
    elif wanted == DURABLE:
        sink.wait(1)
    else:
        assert queued(mta) == [] and sink.transactions == []


def test_a_token_means_nothing_at_an_mx_wire(owned):
    _, mx = owned("smtpd-mx-0", "submit-queue")
    assert Submit(mx.wire("submit-queue")).verdict("a@far.test", [FAR], CONTENT, token=GUESS) == REFUSED


@pytest.mark.parametrize("which", ["not leased", "used before", "zero", "of another worker"])
def test_ids_that_it_was_not_given(posthorn, which):
    """They cost the wire, and nothing is queued under them."""
    with Strings({"smtpd-mx-0": ["submit-queue"], "smtpd-trusted-0": ["submit-queue"]}) as strings:
        mta = posthorn(ready=False, environment=strings.environment)
        other = Submit(strings["smtpd-trusted-0"].wire("submit-queue"))
        wire = Submit(strings["smtpd-mx-0"].wire("submit-queue"))
        used = wire.id()
        assert wire.verdict("a@far.test", [OURS], CONTENT, queue_id=used) == DURABLE
        forged = {"not leased": wire.first + (1 << 20), "used before": used, "zero": 0, "of another worker": other.first}[which]
        with pytest.raises(Ended):
            wire.raw(frames.frame(frames.SUBMIT["MESSAGE"], frames.message(9, forged, "a@far.test", [OURS], b"Subject: forged\r\n\r\n")))
            wire.expect("VERDICT")
        mta.wait_mails("alice")
        mta.wait_empty()
        assert len(mta.mails("alice")) == 1
        assert other.verdict("a@far.test", [OURS], CONTENT) == DURABLE, "the other one has its id still"


@pytest.mark.parametrize("what", ["fates", "no recipient", "a size that is not the content's", "a file that it has not asked for"])
def test_messages_that_cannot_be(owned, what):
    mta, mx = owned("smtpd-mx-0", "submit-queue")
    wire = Submit(mx.wire("submit-queue"))
    claims = {"fates": {"fate": FATE}, "a file that it has not asked for": {"large": True}}.get(what, {})
    body = frames.message(1, wire.id(), "a@far.test", [] if what == "no recipient" else [OURS], CONTENT, **claims)
    if what.startswith("a size"):
        body = body.replace(frames.u32(len(CONTENT)), frames.u32(len(CONTENT) + 1), 1)
    with pytest.raises(Ended):
        wire.send("MESSAGE", body)
        wire.expect("VERDICT")
    assert queued(mta) == []


def large_file(wire, queue_id):
    """The descriptor that queue gives for this id, or None."""
    wire.send("LARGE_OPEN", frames.u64(queue_id) + b"\0")
    given, ok = wire.expect("LARGE_FILE")[1].take("QB")
    assert given == queue_id and bool(ok) == bool(wire.fds)
    return wire.fds.pop() if ok else None


def test_a_file_of_its_own_and_of_nobody_else(owned):
    """It may write one for a message to come, read not even that (C4), and has none of a message that is in the queue."""
    mta, mx = owned("smtpd-mx-0", "submit-queue")
    wire = Submit(mx.wire("submit-queue"))
    sent = wire.id()
    assert wire.verdict("a@far.test", [OURS], CONTENT, queue_id=sent) == DURABLE
    assert large_file(wire, sent) is None and large_file(wire, wire.first + (1 << 20)) is None and large_file(wire, 1) is None
    own = wire.id()
    fd = large_file(wire, own)
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    os.write(fd, CONTENT)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pread(fd, 10, 0)
    assert large_file(wire, own) is None or wire.verdict("a@far.test", [OURS], CONTENT) == DURABLE
    wire.send("LARGE_DROP", frames.u64(sent) + b"\0")       # of the one that is queued: nothing is dropped
    mta.wait_mails("alice")
    os.close(fd)


def crc32c(data):
    """RFC 3720 B.4, bit by bit over a table."""
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    crc = 0xffffffff
    for byte in data:
        crc = table[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


@pytest.mark.parametrize("changed", [False, True])
def test_a_file_that_it_changes_behind_the_promise(owned, changed):
    """The descriptor still writes when 250 was said. Then nobody gets the message: who reads it sees that it is another."""
    mta, mx = owned("smtpd-mx-0", "submit-queue", arguments=["--paused"])
    wire = Submit(mx.wire("submit-queue"))
    own = wire.id()
    fd = large_file(wire, own)
    content = b"Subject: large\r\n\r\n" + b"what was promised\r\n" * 20000
    os.write(fd, content)
    assert wire.verdict("a@far.test", [OURS], content, queue_id=own, large=True, crc=crc32c(content)) == DURABLE
    if changed:
        os.pwrite(fd, b"X", 100)
    os.close(fd)
    mta.stop()
    mta.arguments = []
    mta.restart(ready=False)
    if changed:
        mta.wait_log(r"fails its checksum")
        [item] = wait_for(lambda: [item for item in queued(mta) if item["queue_name"] == "hold"], 20, "a message on hold")
        assert mta.mails("alice") == [], item
    else:
        mta.wait_mails("alice")


# -- lookup and key --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["smtpd-mx-0", "smtpd-trusted-0", "smtpd-submission-0"])
def test_homes_and_uids_are_not_for_smtpd(owned, name):
    mta, smtpd = owned(name, "lookup-lookup")
    wire = Wire(smtpd.wire("lookup-lookup"), "lookup")
    wire.send("ROUTE", frames.route_question(1, OURS, FAR, f"nobody-at-all@{DOMAIN}"))
    body = wire.expect("ROUTES")[1]
    assert body.take("QQII")[3] == 3                        # what it may ask
    wire.send("MAILBOX", frames.mailbox_question(2, OURS))
    with pytest.raises(Ended):
        wire.expect("MAILBOX_OF")
    assert len(mta.pids("lookup")) >= 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Chain, key and the name that key knows it by."""
    chain, key = Authority(tmp_path_factory.mktemp("authority")).issue("main", HOSTNAME)
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    return chain, key, hashlib.sha256(public).digest()


def tls(certificate, listener="mx"):
    return {"tls main": {"certificate": [str(certificate[0])], "key": [str(certificate[1])]}, f"listener {listener}": {"tls": ["main"]}}


HANDSHAKE = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32)


@pytest.mark.parametrize("content, signed", [
    (HANDSHAKE, True),
    (hashlib.sha256(b"an order").digest(), False),
    (b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\0\x04\x20" + bytes(32), False),
    (HANDSHAKE.replace(b"server", b"client"), False),
    (HANDSHAKE[1:], False),
    (HANDSHAKE + b"x" * 64, False),
    (b"", False),
    (b"x" * 512, False),
])
def test_what_key_signs(owned, certificate, content, signed):
    """A handshake and nothing else (C5); and never with a key that it does not have."""
    _, mx = owned("smtpd-mx-0", "key-key", settings=tls(certificate))
    wire = Wire(mx.wire("key-key"), "key")
    wire.send("SIGN", frames.sign(certificate[2], content))
    assert bool(wire.expect("SIGNATURE")[1].text()) == signed
    wire.send("SIGN", frames.sign(bytes(32), content))
    assert wire.expect("SIGNATURE")[1].text() == b""


def test_a_question_longer_than_any_handshake(owned, certificate):
    _, mx = owned("smtpd-mx-0", "key-key", settings=tls(certificate))
    wire = Wire(mx.wire("key-key"), "key")
    wire.send("SIGN", frames.sign(certificate[2], b"x" * 513))
    assert wire.ended()


# -- auth ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def submission(owned, certificate, tmp_path):
    """The submit and auth wires of an owned smtpd for users, where logins are asked for."""
    passwords = tmp_path / "passwords"
    passwords.write_text(password_file())
    settings = {**tls(certificate, "submission"), "submission": {"users": f"file:{passwords}", "auth-failure-delay": "50ms"}}
    mta, smtpd = owned("smtpd-submission-0", "submit-queue", "auth-lookup", settings=settings)
    auth = Wire(smtpd.wire("auth-lookup"), "auth")
    auth.expect("MECHANISMS")
    return mta, Submit(smtpd.wire("submit-queue")), auth


def log_in(auth, serial, password=PASSWORD):
    auth.send("BEGIN", frames.auth_begin(serial, "PLAIN", b"\0bob\0" + password.encode()))
    return auth.expect("OK", "FAILED", "LATER")


def test_nobody_is_logged_in_by_saying_so(submission, sink):
    """C7: without a token only mail for us; a guessed one is none; a real one is good as long as its login."""
    mta, submit, auth = submission
    assert submit.verdict("bob@local.test", [OURS], CONTENT) == DURABLE
    assert submit.verdict("bob@local.test", [FAR], CONTENT) == REFUSED
    assert submit.verdict("bob@local.test", [FAR], CONTENT, token=GUESS) == TRY_LATER
    assert log_in(auth, 1, "pen")[0] == "FAILED"
    name, body = log_in(auth, 2)
    assert name == "OK"
    token = body.take("QQQ")[1:]
    assert submit.verdict("bob@local.test", [FAR], CONTENT, token=(token[0], token[1] ^ 1)) == TRY_LATER
    assert submit.verdict("bob@local.test", [FAR], CONTENT, token=token) == DURABLE
    sink.wait(1)
    auth.send("CANCEL", frames.u64(2))
    wait_for(lambda: submit.verdict("bob@local.test", [FAR], CONTENT, token=token) == TRY_LATER, 10, "the end of the login")
    mta.wait_mails("alice")


def test_a_login_of_before_is_not_made_up(submission):
    """RESUME with a token that queue has never heard of."""
    _, submit, auth = submission
    auth.send("RESUME", frames.auth_granted(7, GUESS, "bob"))
    assert auth.expect("OK", "LATER")[0] == "LATER"
    assert submit.verdict("bob@local.test", [FAR], CONTENT, token=GUESS) == TRY_LATER


@pytest.mark.parametrize("name", ["LOGIN", "OK", "KNOWN", "CLAIM", "TOLD"])
def test_it_does_not_speak_for_lookup(submission, name):
    _, submit, auth = submission
    auth.send(name, frames.auth_granted(1, GUESS, "bob"))
    assert auth.ended()
    assert submit.verdict("bob@local.test", [FAR], CONTENT, token=GUESS) == TRY_LATER


def test_passwords_are_not_told(submission):
    """Whatever it says, what comes back is yes or no (C6): nothing of the file."""
    _, _, auth = submission
    kept = [word for line in password_file().splitlines()[1:] for word in (line.split(":", 1)[1], *line.split("$")[3:]) if len(word) > 8]
    for serial, response in enumerate((b"\0bob\0pen", b"\0alice\0pen", b"", b"\0" * 300, b"bob\0bob\0"), 1):
        auth.send("BEGIN", frames.auth_begin(serial, "PLAIN", response))
        name, body = auth.expect("FAILED", "LATER", "CHALLENGE")
        assert not [word for word in kept if word.encode() in body.data], (name, body.data)
    assert base64.b64encode(PASSWORD.encode()) not in body.data


# -- handoff ---------------------------------------------------------------------------------------------------------------

TRUSTED = "127.0.0.9"


def refuses(sock):
    """What was handed over got no service: closed without a word."""
    sock.settimeout(10)
    try:
        return sock.recv(100) == b""
    except ConnectionError:
        return True


@pytest.fixture
def handoff(owned):
    mta, mx = owned("smtpd-mx-0", "handoff-trusted", "listener-mx", settings={"trusted-networks": [TRUSTED + "/32"]})
    wire = Wire(mx.wire("handoff-trusted"), "handoff")
    listener = mx.wire("listener-mx")
    listener.settimeout(10)
    return mta, wire, listener


def hand(wire, sock):
    wire.send("CONNECTION", fds=[sock.fileno()])


def come(mta, listener, source):
    """A client from there, and its connection as the mx worker has accepted it."""
    client = socket.create_connection(mta.mx, 10, source_address=(source, 0))
    return client, listener.accept()[0]


def test_a_strangers_connection_stays_a_strangers(handoff, sink):
    mta, wire, listener = handoff
    for source, code in ((TRUSTED, 250), ("127.0.0.1", 554)):
        client, accepted = come(mta, listener, source)
        hand(wire, accepted)
        accepted.close()
        talk = Client.__new__(Client)
        talk.sock, talk.kept = client, b""
        assert talk.reply().code == 220
        talk.hello()
        assert [r.code for r in talk.pipeline(["MAIL FROM:<a@far.test>", f"RCPT TO:<{FAR}>"])] == [250, code]
        client.close()


def test_connections_that_no_listener_of_ours_took(handoff):
    mta, wire, _ = handoff
    with socket.create_server((TRUSTED, 0)) as elsewhere:
        client = socket.create_connection(elsewhere.getsockname(), 10, source_address=(TRUSTED, 0))
        made, _ = elsewhere.accept()
        hand(wire, made)
        made.close()
        assert refuses(client)
    ours, theirs = socket.socketpair()
    hand(wire, theirs)
    theirs.close()
    assert refuses(ours)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect((TRUSTED, 9))
        hand(wire, datagrams)
    read, write = os.pipe()
    wire.send("CONNECTION", fds=[read])
    for fd in (read, write):
        os.close(fd)
    assert send(mta.trusted, "a@far.test", [OURS], CONTENT, source=TRUSTED).code == 250
