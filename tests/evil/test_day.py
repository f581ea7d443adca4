"""A day of mail with canaries in it: no call is on no list, no secret lies where it does not belong.

Every process runs with POSTHORN_SANDBOX_KILL=1: a call that its list does not have would end it.
"""
import base64
import contextlib
import os
import pathlib
import pwd
import re
import smtplib
import ssl
import subprocess

import pytest

from certificates import Authority
from client import Client, send
from fake_dns import FakeDns
from logins import connect
from posthorn import DOMAIN, HOSTNAME, Posthorn
from sink import Sink

PASSWORD, WRONG = "Canary-of-carol-7f3a", "Canary-that-is-wrong-99"
SECRET_A, SECRET_B = b"canary of the first session 51c0ffee", b"canary of the second session 0badcafe"


def password_file():
    hashed = subprocess.run(["openssl", "passwd", "-6", "-salt", "grainofsalt", PASSWORD], check=True, capture_output=True, text=True).stdout.strip()
    return f"carol:{hashed}\n"


def message(subject, secret, size=0):
    return b"Subject: " + subject + b"\r\n\r\n" + secret + b"\r\n" + b"x" * 70 * (size > 0) + b"\r\n" + (b"y" * 70 + b"\r\n") * (size // 72)


def live(mta, authority, sink):
    """What a day brings, by every door."""
    with connect(mta, authority) as client:
        for password in (WRONG, PASSWORD):
            token = base64.b64encode(b"\0carol\0" + password.encode()).decode()
            code = client.docmd("AUTH", "PLAIN " + token)[0]
            assert code == (235 if password == PASSWORD else 535)
        client.sendmail(f"alice@{DOMAIN}", ["someone@far.test", "gone@far.test", f"bob@{DOMAIN}"], message(SECRET_A, SECRET_A))
    with connect(mta, authority) as client:
        client.user, client.password = "carol", PASSWORD
        assert client.auth("LOGIN", client.auth_login)[0] == 235
        client.sendmail(f"bob@{DOMAIN}", ["gone@far.test", "later@far.test"], message(SECRET_B, SECRET_B))
    assert send(mta.trusted, "a@far.test", [f"alice@{DOMAIN}", "someone@far.test"], message(b"large", b"large", 600000)).code == 250
    with Client(mta.mx) as client:
        client.hello()
        client.pipeline(["VRFY bob", "MAIL FROM:<a@far.test>", f"RCPT TO:<nobody-at-all@{DOMAIN}>", "NONSENSE", "RSET", "AUTH PLAIN AGEAYg=="])
        client.abort()
    mta.wait_mails("alice", 2)      # a large message, and the notification of a failure
    mta.wait_mails("bob", 2)
    sink.wait(2)
    mta.wait_log("status=deferred")
    for words in (["status"], ["queue", "list"], ["queue", "hold", "all"], ["queue", "release", "all"], ["queue", "retry", "all"]):
        mta.posthorn(*words)
    mta.configure({"smtpd": {"max-sessions": 77}})
    mta.reload()
    mta.wait_log("reload|configuration")
    sink.forget_rules()
    mta.posthorn("queue", "retry", "all")
    mta.wait_empty()


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The posthorn behind that day, still running; its processes before and after; the key's file."""
    folder, sink = tmp_path_factory.mktemp("day"), Sink()
    me = None if os.getuid() else pwd.getpwnam("posthorn-test")
    for path in ([folder, *folder.parents] if me else []):
        if path.stat().st_uid == 0 and str(path).startswith("/tmp/"):
            path.chmod(0o755)
    dns = FakeDns({"far.test": {"MX": [(10, "mx.far.test")]}, "mx.far.test": {"A": ["127.0.0.1"]}})
    authority = Authority(folder / "authority")
    chain, key = authority.issue("main", HOSTNAME)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(chain, key)
    sink.secure = served
    sink.on("RCPT", "gone@", "550 5.1.1 no such user")
    sink.on("RCPT", "later@", "450 4.2.1 later")
    passwords = folder / "passwords"
    passwords.write_text(password_file())
    for path in (folder / "authority", chain, key, passwords):
        if me:
            os.chown(path, me.pw_uid, me.pw_gid)
    settings = {"tls main": {"certificate": [str(chain)], "key": [str(key)]}, "listener submission": {"tls": ["main"]},
                "submission": {"users": f"file:{passwords}", "auth-failure-delay": "50ms", "sender-rights": "off"}, "queue": {"retry": ["1h"]}}
    try:
        with Posthorn(folder / "p", settings, dns=dns, mx_port=sink.port, account=me, environment={"POSTHORN_SANDBOX_KILL": "1"}) as mta:
            before = cast(mta)
            live(mta, authority, sink)
            yield mta, before, key
    finally:
        sink.close()
        dns.close()


def cast(mta):
    """Those who live through a reload."""
    return {words[0]: pid for pid, _, words in mta.children() if words[0] not in ("worker", "lookup", "logger")}


def test_nobody_asks_for_what_is_on_no_list(day):
    """C23, its second half: with everything that a day brings, nobody was ended and replaced."""
    mta, before, _ = day
    assert cast(mta) == before
    assert not re.search(r"killed by signal|SYS\)", mta.words(1 << 20)), mta.words()


def forms(secret):
    """A text as a log, a spool or a core might hold it."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return {raw, base64.b64encode(raw), base64.b64encode(b"\0carol\0" + raw), raw.hex().encode(), raw[::-1]}


def key_forms(key):
    """The private number of an EC key, and the lines of its file."""
    words = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True, capture_output=True, text=True).stdout
    number = bytes.fromhex(re.search(r"priv:\s*([0-9a-f:\s]+)pub:", words)[1].replace(":", "").replace(" ", "").replace("\n", ""))[-32:]
    lines = [line.encode() for line in key.read_text().splitlines() if not line.startswith("-") and len(line) > 40]
    return forms(number) | set(lines)


def places(mta, needles):
    """The files of this posthorn that hold one of these."""
    found = set()
    for top in (mta.directory, mta.run, mta.mail):
        for path in top.rglob("*"):
            if path.is_file() and not path.is_symlink() and any(needle in path.read_bytes() for needle in needles):
                found.add(str(path.relative_to(mta.directory)).split("/")[0] if mta.directory in path.parents else str(path))
    return found


def test_where_secrets_lie(day):
    """C24. That mail itself lies in the queue and in mailboxes shows that the search finds."""
    mta, _, key = day
    assert places(mta, [SECRET_A]) == {"mail", "queue"}
    for secret in (PASSWORD, WRONG):
        assert places(mta, forms(secret)) == set(), secret
    assert places(mta, key_forms(key)) == set()
    assert key_forms(key) & set(key.read_bytes().splitlines())


def test_a_notification_holds_nothing_of_another_session(day):
    """Each sender's notification has his own message, and not a byte of the other's."""
    mta, _, _ = day
    for user, own, other in (("alice", SECRET_A, SECRET_B), ("bob", SECRET_B, SECRET_A)):
        [notice] = [mail for mail in mta.mails(user) if b"gone@far.test" in mail and b"Auto-Submitted" in mail]
        assert own in notice and other not in notice
        assert not [needle for needle in forms(PASSWORD) | forms(WRONG) if needle in notice]


def readable(pid):
    """What the memory of a process holds, mapping by mapping."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        first, last = (int(part, 16) for part in line.split()[0].split("-"))
        if line.split()[1].startswith("r") and not line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                memory.seek(first)
                with contextlib.suppress(OSError):
                    yield memory.read(last - first)


@pytest.mark.root_only
@pytest.mark.skipif(os.getuid() != 0, reason="needs root: nobody else may look into these processes")
def test_only_key_has_the_key(day):
    """C5: after handshakes with it, its private number is in the memory of key, and in that of nobody else."""
    mta, _, key = day
    needles = [needle for needle in key_forms(key) if len(needle) == 32]
    holders = {words[0] for pid, _, words in mta.children() if any(needle in piece for piece in readable(pid) for needle in needles)}
    assert holders == {"key"}
