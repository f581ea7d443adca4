"""Other MTAs relay to posthorn and take mail from it, over STARTTLS: Debian's Postfix, Exim and OpenSMTPD, each in a private root."""
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack

import pytest

import exim_peer
import opensmtpd_peer
import postfix_peer
from certificates import Authority
from client import Client, dot_stuffed
from ledger import lf, maildir_files
from ports import free_port
from posthorn import HOSTNAME, Posthorn, ROOT
from waiting import wait_for

pytestmark = [pytest.mark.root_only, pytest.mark.skipif(os.getuid() != 0, reason="needs root: other MTAs start as root")]

USERS = ("alice", "jürgen")
FAR = "far.test"
SIZES = (2000, 2 << 20)         # posthorn sends BDAT from 64 KiB on
LINES = ("", ".", "..", ".QUIT", "From here", "äöü €", "tab\t and blank ", "x" * 900, "RSET")


class Postfix(postfix_peer.PostfixPeer):
    chunks_in, chunks_out, utf8, pipelines = r" bdat=1 ", False, True, "Using ESMTP PIPELINING"

    def __init__(self, directory, tree, address, smart_host, tls, level="encrypt"):
        nobody = pwd.getpwnam("nobody")
        settings = {"mydestination": "", "relayhost": "[%s]:%d" % smart_host, "message_size_limit": "52428800", "virtual_mailbox_limit": "0",
                    "virtual_mailbox_domains": FAR, "virtual_mailbox_base": directory / "mail", "virtual_mailbox_maps": f"texthash:{directory}/users",
                    "virtual_uid_maps": f"static:{nobody.pw_uid}", "virtual_gid_maps": f"static:{nobody.pw_gid}",
                    "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": tls[0], "smtpd_tls_key_file": tls[1], "smtpd_tls_loglevel": "1",
                    "smtpd_tls_received_header": "yes", "smtp_tls_security_level": level, "smtp_tls_loglevel": "1",
                    "smtp_tls_CAfile": directory.parent / "tls/authority.pem", "smtp_tls_secure_cert_match": HOSTNAME,
                    "debug_peer_list": "127.0.0.1", "debug_peer_level": "1"}
        super().__init__(directory, tree, address, settings)

    def lay_out(self):
        super().lay_out()
        (self.directory / "users").write_text("".join(f"{user}@{FAR} {user}/\n" for user in USERS))

    fetch = staticmethod(postfix_peer.fetch)


class Exim(exim_peer.EximPeer):
    chunks_in, chunks_out, utf8, pipelines = r" K ", True, True, r"=> alice@local\.test .* L "
    fetch = staticmethod(exim_peer.fetch)

    def __init__(self, directory, tree, address, smart_host, tls):
        super().__init__(directory, tree, address, smart_host, domain=FAR, users=USERS, tls=tls)


class Opensmtpd(opensmtpd_peer.OpensmtpdPeer):
    chunks_in, chunks_out, utf8, pipelines = None, False, False, None
    fetch = staticmethod(opensmtpd_peer.fetch)

    def __init__(self, directory, tree, address, smart_host, tls):
        super().__init__(directory, tree, address, smart_host, domain=FAR, users=USERS[:1], tls=tls)


MTAS = (Postfix, Exim, Opensmtpd)


class Pair:
    """posthorn and the other one, each the other's next hop."""

    def __init__(self, place, dns, stack):
        self.place, self.dns, self.stack = place, dns, stack
        self.account = pwd.getpwnam("posthorn-test")
        self.authority = Authority(place / "tls")

    def start(self, kind, **options):
        port = free_port()
        pair = self.authority.issue("posthorn", HOSTNAME)
        for file in pair:
            os.chown(file, self.account.pw_uid, self.account.pw_gid)
        settings = {"tls main": {"certificate": [str(pair[0])], "key": [str(pair[1])]}, "listener mx": {"tls": ["main"]}}
        self.mta = self.stack.enter_context(Posthorn(self.place / "posthorn", settings, users=USERS, dns=self.dns, mx_port=port, account=self.account))
        peers = os.environ.get("POSTHORN_PEERS") or ROOT / "build/peers"
        self.peer = self.stack.enter_context(kind(self.place / "peer", kind.fetch(peers), ("127.0.0.1", port), self.mta.mx,
                                                  self.authority.issue("peer", "mx.far.test"), **options))

    def words(self):
        return f"{self.mta.words()}\n{self.said()}"

    def said(self):
        """All that the other one has logged."""
        return "\n".join(path.read_text(errors="replace") for path in sorted((self.place / "peer/log").glob("*")))

    def wait_said(self, pattern):
        return wait_for(lambda: re.search(pattern, self.said()), 20, lambda: f"{pattern!r} in the log: {self.words()}")

    def wait_far(self, user):
        """The one message in the other's mailbox of that user."""
        def mails():
            return [path.read_bytes() for path in maildir_files(self.place / "peer/mail" / user)]

        [mail] = wait_for(mails, 30, lambda: f"a mail of {user}'s: {self.words()}")
        return mail


@pytest.fixture
def pair(dns):
    place = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-interop.", dir="/var/tmp"))
    place.chmod(0o755)
    try:
        with ExitStack() as stack:
            made = Pair(place, dns, stack)
            yield made
            print(made.words())         # pytest shows it when the test has failed
    finally:
        shutil.rmtree(place)


def message(size):
    """Lines that a careless MTA would change; the header has what an MTA adds where it is missing."""
    head = ("X-Ledger: interop\r\nFrom: <alice@local.test>\r\nTo: <alice@far.test>\r\nDate: Mon, 30 Nov 2026 01:00:00 +0000\r\nMessage-ID: <interop@local.test>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nSubject: interop\r\n\r\n").encode()
    body = "".join(line + "\r\n" for line in LINES).encode()
    return head + body * (size // len(body) + 1)


def send(address, sender, to, content, options=" BODY=8BITMIME"):
    with Client(address, timeout=60) as client:
        client.hello()
        for command, code in ((f"MAIL FROM:<{sender}>{options}", 250), (f"RCPT TO:<{to}>", 250), ("DATA", 354), (dot_stuffed(content) + b".", 250)):
            reply = client.command(command)         # one by one: OpenSMTPD takes no pipelining
            assert reply.code == code, (command[:100], reply)
        client.quit()


def check_whole(mail, content):
    assert lf(mail[mail.index(b"X-Ledger: "):]) == lf(content)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", MTAS)
def test_relays_to_us(pair, kind, size):
    pair.start(kind)
    content = message(size)
    send(pair.peer.address, "alice@far.test", "alice@local.test", content)
    [mail] = pair.mta.wait_mails("alice")
    check_whole(mail, content)
    assert b"\tby mx.test.example" in mail and b" with ESMTPS id " in mail
    pair.mta.wait_log(r"Anonymous TLS connection established from unknown\[127\.0\.0\.1\]: TLSv1\.3 with cipher")
    pair.mta.wait_log(rf"disconnect from .* {'bdat' if kind.chunks_out else 'data'}=\d .*starttls=1 ")
    if kind.pipelines:
        pair.wait_said(kind.pipelines)


@pytest.mark.parametrize("level,seen", [("may", "Trusted"), ("encrypt", "Trusted"), ("secure", "Verified")])
def test_postfix_is_content_with_our_certificate(pair, level, seen):
    pair.start(Postfix, level=level)
    send(pair.peer.address, "alice@far.test", "alice@local.test", message(1))
    pair.mta.wait_mails("alice")
    pair.wait_said(rf"{seen} TLS connection established to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: TLSv1\.3")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", MTAS)
def test_takes_from_us(pair, kind, size):
    pair.start(kind)
    content = message(size)
    send(pair.mta.trusted, "alice@local.test", "alice@far.test", content)
    mail = pair.wait_far("alice")
    check_whole(mail, content)
    pair.mta.wait_log(r"to=<alice@far\.test>, .*status=sent")
    pair.mta.wait_empty()
    if kind is Opensmtpd and not finishes_handshakes(pair.peer.address):
        pair.mta.wait_log("again in clear")         # Debian 12's, with any client and any key
        return
    theirs = mail[:mail.index(b"\tby mx.test.example")]
    assert re.search(rb"TLS ?v?1\.3", theirs), theirs
    pair.mta.wait_log(r"TLS connection established to mx\.far\.test\[127\.0\.0\.1\]:\d+: TLSv1\.3 with cipher")
    if kind.chunks_in and size >= 65536:
        pair.wait_said(kind.chunks_in)


def finishes_handshakes(address):
    """With somebody else than us."""
    done = subprocess.run(["openssl", "s_client", "-brief", "-starttls", "smtp", "-connect", "%s:%d" % address], input="QUIT\r\n", text=True,
                          capture_output=True, timeout=30, check=False)
    return "CONNECTION ESTABLISHED" in done.stderr + done.stdout


OUTSIDE = [kind for kind in MTAS if kind.utf8]


@pytest.mark.parametrize("kind", OUTSIDE)
def test_names_outside_ascii_come_to_us(pair, kind):
    pair.start(kind)
    content = message(1)
    send(pair.peer.address, "jürgen@far.test", "jürgen@local.test", content, " SMTPUTF8 BODY=8BITMIME")
    [mail] = pair.mta.wait_mails("jürgen")
    check_whole(mail, content)
    assert mail.startswith("Return-Path: <jürgen@far.test>\n".encode()) and b" with UTF8SMTPS id " in mail


@pytest.mark.parametrize("kind", OUTSIDE)
def test_names_outside_ascii_go_from_us(pair, kind):
    pair.start(kind)
    content = message(1)
    send(pair.mta.trusted, "jürgen@local.test", "jürgen@far.test", content, " SMTPUTF8 BODY=8BITMIME")
    check_whole(pair.wait_far("jürgen"), content)
    pair.mta.wait_log(r"to=<jürgen@far\.test>, .*status=sent")


def test_opensmtpd_cannot_take_them_and_the_sender_hears(pair):
    pair.start(Opensmtpd)
    send(pair.mta.trusted, "alice@local.test", "jürgen@far.test", message(1), " SMTPUTF8 BODY=8BITMIME")
    [report] = pair.mta.wait_mails("alice")
    assert b"multipart/report" in report and b"\nStatus: 5.6.7\n" in report
