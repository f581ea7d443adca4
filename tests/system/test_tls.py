"""TLS on the way in: STARTTLS, TLS from the first byte, names, new certificates, tickets, and what a client may not get away with."""
import os
import re
import signal
import smtplib
import socket
import ssl

import pytest

from certificates import Authority
from client import Client, Closed
from posthorn import HOSTNAME, merged
from waiting import wait_for

OTHER = "other.test.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def settings(authority):
    """STARTTLS on mx and trusted, TLS at once on submission; two names."""
    pairs = {"main": [authority.issue("main", HOSTNAME), authority.issue("main-rsa", HOSTNAME, kind="rsa")],
             "other": [authority.issue("other", OTHER)]}
    sections = {f"tls {name}": {"certificate": [str(c) for c, _ in pair], "key": [str(k) for _, k in pair]} for name, pair in pairs.items()}
    names = {"tls": ["main", "other"]}
    return merged(sections, {"listener mx": names, "listener trusted": names, "listener submission": {**names, "implicit-tls": True}})


@pytest.fixture
def mta(posthorn, settings):
    return posthorn(settings)


def context(authority, **over):
    made = ssl.create_default_context(cafile=str(authority.certificate))
    for name, value in over.items():
        setattr(made, name, value)
    return made


def started(mta, authority, name=HOSTNAME, **over):
    client = smtplib.SMTP(*mta.trusted, timeout=20)
    client.ehlo("client.example")
    assert client.has_extn("starttls")
    client._host = name             # whom the certificate must name
    client.starttls(context=context(authority, **over))
    return client


def delivered(mta, client, content=b"Subject: x\r\n\r\nhello\r\n"):
    client.sendmail("bob@local.test", ["alice@local.test"], content)
    return mta.wait_mails("alice")[-1]


def test_starttls(mta, authority):
    with started(mta, authority) as client:
        client.ehlo("client.example")
        assert not client.has_extn("starttls"), "TLS is offered once"
        mail = delivered(mta, client).decode()
    assert re.search(r"\(using TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\)", mail), mail
    assert "with ESMTPS id" in mail
    mta.wait_log(r"Anonymous TLS connection established from unknown\[127\.0\.0\.1\]: TLSv1\.3 with cipher")


def test_tls_at_once(mta, authority):
    with smtplib.SMTP_SSL(*mta.submission, timeout=20, context=unchecked()) as client:
        client.ehlo("client.example")
        assert not client.has_extn("starttls")
        assert b"ESMTPS" in delivered(mta, client)


def unchecked():
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def shown(address, name, made):
    """The subject that a client gets who asks for that name; STARTTLS by hand."""
    with Client(address) as client:
        assert client.command("EHLO x").code == 250
        assert client.command("STARTTLS").code == 220
        with made.wrap_socket(client.sock, server_hostname=name) as tls:
            return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"]


@pytest.mark.parametrize("asked,got", [(HOSTNAME, HOSTNAME), (OTHER, OTHER), ("unknown.test.example", HOSTNAME)])
def test_certificate_by_name(mta, authority, asked, got):
    assert shown(mta.mx, asked, context(authority, check_hostname=False)) == got


def test_old_versions_are_refused(mta, authority):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        started(mta, authority, maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
    mta.wait_log("SSL_accept error from unknown")


def test_tls_1_2_with_an_rsa_key(mta, authority):
    made = context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    made.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with smtplib.SMTP(*mta.trusted, timeout=20) as client:
        client._host = HOSTNAME
        client.starttls(context=made)
        client.ehlo("client.example")
        assert b"TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256" in delivered(mta, client)


@pytest.mark.parametrize("whole", [True, False])
def test_words_behind_starttls_end_the_session(mta, whole):
    """CVE-2011-0411: they came in clear and must not be taken for what TLS protects."""
    with Client(mta.trusted) as client:
        client.send(b"EHLO x\r\n")
        client.reply()
        if whole:
            client.send(b"STARTTLS\r\nRSET\r\n")
            assert client.reply().code == 554
        else:
            client.send(b"STARTTLS\r\n")
            assert client.reply().code == 220
            client.send(b"RSET\r\n")
        with pytest.raises(Closed):
            client.line()


def test_starttls_forgets_what_was_said(mta, authority):
    with started(mta, authority) as client:
        assert client.docmd("MAIL", "FROM:<a@local.test>")[0] == 503
        client.ehlo("client.example")
        assert client.docmd("STARTTLS")[0] == 554


def test_a_transaction_ends_with_starttls(mta, authority):
    client = smtplib.SMTP(*mta.trusted, timeout=20)
    client.ehlo("client.example")
    client.docmd("MAIL", "FROM:<a@local.test>")
    client.docmd("RCPT", "TO:<alice@local.test>")
    client._host = HOSTNAME
    client.starttls(context=context(authority))
    client.ehlo("client.example")
    assert client.docmd("DATA")[0] == 503
    client.quit()


def test_nothing_in_clear_after_close_notify(mta, authority):
    """CVE-2026-45185: in the middle of DATA, too, the end of TLS is the end of the session."""
    client = started(mta, authority)
    client.ehlo("client.example")
    for verb, argument in (("MAIL", "FROM:<a@local.test>"), ("RCPT", "TO:<alice@local.test>"), ("DATA", "")):
        assert client.docmd(verb, argument)[0] < 400
    client.sock.sendall(b"Subject: half\r\n\r\n")
    plain = socket.fromfd(client.sock.fileno(), socket.AF_INET, socket.SOCK_STREAM)
    try:
        client.sock.settimeout(1)
        client.sock.unwrap()
    except (OSError, ValueError):
        pass
    try:
        plain.sendall(b"in clear\r\n.\r\nMAIL FROM:<b@local.test>\r\n")
    except OSError:
        pass
    mta.wait_log(r"lost connection after DATA from unknown\[127\.0\.0\.1\]")
    assert mta.mails("alice") == []
    plain.close()


def test_new_certificates_without_losing_a_session(mta, authority):
    with started(mta, authority) as client:
        client.ehlo("client.example")
        authority.issue("main", "new." + HOSTNAME, HOSTNAME)
        authority.issue("main-rsa", "new." + HOSTNAME, HOSTNAME, kind="rsa")
        mta.reload()
        wait_for(lambda: shown(mta.mx, HOSTNAME, context(authority)) == "new." + HOSTNAME, 20, "the new certificate")

        def goes_on():
            """The session that was there before; lookup is replaced at a reload, and for a moment it is "try later"."""
            try:
                return b"hello" in delivered(mta, client)
            except smtplib.SMTPRecipientsRefused:
                return False

        wait_for(goes_on, 20, "mail by the old session")


def test_a_certificate_that_cannot_be_used_refuses_the_reload(mta, authority):
    certificate, _ = authority.issue("other", OTHER)
    certificate.write_text("nothing\n")
    said = mta.command("posthorn", "reload")
    assert said.returncode != 0
    assert "other" in said.stdout + said.stderr and "certificate" in said.stdout + said.stderr
    assert shown(mta.mx, OTHER, context(authority)) == OTHER


def test_the_first_key_of_all_is_looked_at(posthorn, settings, authority):
    """A reload that brings TLS is refused when its key is none, although nobody has had keys before."""
    mta = posthorn()
    chain, _ = authority.issue("first", HOSTNAME)
    _, foreign = authority.issue("foreign", "foreign.example")
    mta.configure({"tls main": {"certificate": [str(chain)], "key": [str(foreign)]}, "listener mx": {"tls": ["main"]}})
    said = mta.command("posthorn", "reload")
    assert said.returncode != 0 and "does not belong to the certificate" in said.stdout + said.stderr


def test_a_key_that_stops_for_a_while(mta, authority):
    """Handshakes fail for a moment and nobody else waits; then it goes on, without a restart of anybody."""
    [key] = mta.pids("key")
    smtpd = mta.pids("smtpd-trusted")
    os.kill(key, signal.SIGSTOP)
    try:
        with pytest.raises((OSError, smtplib.SMTPException)):
            started(mta, authority)
    finally:
        os.kill(key, signal.SIGCONT)

    def served():
        try:
            with started(mta, authority) as client:
                client.ehlo("client.example")
                return b"hello" in delivered(mta, client)
        except (smtplib.SMTPException, OSError):
            return False

    wait_for(served, 20, "TLS")
    assert mta.pids("key") == [key] and mta.pids("smtpd-trusted") == smtpd


def test_keys_of_others_refuse_the_start(posthorn, settings, authority):
    _, foreign = authority.issue("foreign", "foreign.example")
    settings["tls other"]["key"] = [str(foreign)]
    with pytest.raises(AssertionError, match="does not belong to the certificate"):
        posthorn(settings)


def test_tickets_are_good_in_all_workers_of_a_role_only(posthorn, settings, authority):
    mta = posthorn(merged(settings, {"smtpd": {"workers": 3}}))
    made = context(authority, check_hostname=False, maximum_version=ssl.TLSVersion.TLSv1_2)
    session = handshake(mta.trusted, made, None)[1]
    assert session.has_ticket
    assert [handshake(mta.trusted, made, session)[0] for _ in range(9)] == [True] * 9
    with socket.create_connection(mta.submission, 20) as sock, made.wrap_socket(sock, server_hostname=HOSTNAME, session=session) as tls:
        assert not tls.session_reused


def handshake(address, made, session):
    with Client(address) as client:
        assert client.command("EHLO x").code == 250
        assert client.command("STARTTLS").code == 220
        with made.wrap_socket(client.sock, server_hostname=HOSTNAME, session=session) as tls:
            tls.sendall(b"EHLO x\r\n")
            tls.recv(4096)
            return tls.session_reused, tls.session


def test_key_dies_and_comes_back(mta, authority):
    [old] = mta.pids("key")
    mta.kill_one("key")
    wait_for(lambda: mta.pids("key") not in ([], [old]), 20, "another key process")

    def served():
        try:
            with started(mta, authority) as client:
                client.ehlo("client.example")
                return b"hello" in delivered(mta, client)
        except (smtplib.SMTPException, OSError):
            return False

    wait_for(served, 20, "TLS")


def test_silent_clients_do_not_hold_others_up(mta, authority):
    silent = [socket.create_connection(mta.submission, 20) for _ in range(20)]
    with started(mta, authority) as client:
        client.ehlo("client.example")
        delivered(mta, client)
    for sock in silent:
        sock.close()


def test_no_tls_without_certificates(posthorn):
    mta = posthorn()
    with Client(mta.trusted) as client:
        client.send(b"EHLO x\r\n")
        assert "STARTTLS" not in str(client.reply())
        client.send(b"STARTTLS\r\n")
        assert client.reply().code == 502


class Bare:
    """TLS by hand behind STARTTLS, so that the socket can end without TLS's goodbye."""

    def __init__(self, address, context):
        self.raw = socket.create_connection(address, 20)
        for line, word in ((b"", b"220 "), (b"EHLO client.example\r\n", b"250 "), (b"STARTTLS\r\n", b"220 ")):
            self.raw.sendall(line)
            self.until(lambda: self.raw.recv(65536), word)
        self.inside, self.outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inside, self.outside, server_hostname=HOSTNAME)
        self.do(self.tls.do_handshake)

    def do(self, call):
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                if self.outside.pending:
                    self.raw.sendall(self.outside.read())
                block = self.raw.recv(65536)
                if block:
                    self.inside.write(block)
                else:
                    self.inside.write_eof()

    @staticmethod
    def until(read, word):
        seen = b""
        while word not in seen:
            more = read()
            assert more, seen
            seen += more

    def hear(self, word):
        self.until(lambda: self.do(lambda: self.tls.read(65536)), word)

    def say(self, data):
        self.tls.write(data)
        self.raw.sendall(self.outside.read())


def test_who_ends_only_the_socket_hears_250(mta, authority):
    """No close_notify before the end: what such a client has said counts, and it hears the answer, which comes later."""
    client = Bare(mta.trusted, context(authority))
    client.say(b"EHLO client.example\r\n")
    client.hear(b"250 ")
    client.say(b"MAIL FROM:<bob@local.test>\r\nRCPT TO:<alice@local.test>\r\nDATA\r\n")
    client.hear(b"354 ")
    client.say(b"Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n")
    client.raw.shutdown(socket.SHUT_WR)
    client.hear(b"250 2.0.0 Ok: queued as ")
    client.raw.close()
