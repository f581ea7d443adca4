"""Mail programs of others submit: with STARTTLS and with TLS from the first byte, by every mechanism they know, the certificate verified."""
import re
import smtplib
import subprocess

import pytest

from certificates import Authority
from logins import PASSWORD, connect, context

WRONG = "crayon"
FROM, TO = "bob@local.test", "alice@local.test"
BODY = "..two dots\n.one\nGruß\n" + "x" * 900 + "\nthe end\n"
WAYS = ("starttls", "implicit")


class Submission:
    """One message that one program shall submit: where, how, as whom."""

    def __init__(self, mta, authority, folder, way, mechanism, password=PASSWORD, login="bob"):
        self.port = (mta.submission if way == "starttls" else mta.trusted)[1]
        self.implicit = way == "implicit"
        self.authority, self.ca, self.folder = authority, str(authority.certificate), folder
        self.mechanism, self.login, self.password = mechanism, login, password
        self.message = folder / "message"
        self.message.write_text(f"From: {FROM}\nTo: {TO}\nSubject: hello\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                                f"Content-Transfer-Encoding: 8bit\n\n{BODY}")

    def wire(self):
        """For programs that send a file as it is."""
        return self.message.read_bytes().replace(b"\n", b"\r\n")

    def run(self, *command, text=None):
        """0 when the program says that the message is sent; what it printed is shown when the test fails."""
        done = subprocess.run([str(word) for word in command], input=text, stdin=None if text is not None else subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=60, check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8"})
        print(done.stdout, done.stderr)
        return done.returncode


def swaks(s, *more):
    unended = s.folder / "unended"          # it puts a line end behind what it reads
    unended.write_text(s.message.read_text().removesuffix("\n"))
    return s.run("swaks", "--server", "localhost", "--port", s.port, "--tls-on-connect" if s.implicit else "--tls", "--tls-verify", "--tls-ca-path", s.ca,
                 "--auth", s.mechanism, "--auth-user", s.login, "--auth-password", s.password, "--from", FROM, "--to", TO,
                 "--data", f"@{unended}", *more)


def swaks_pipelining(s):
    return swaks(s, "--pipeline")


def curl(s):
    crlf = s.folder / "crlf"
    crlf.write_bytes(s.wire())
    return s.run("curl", "-sS", "-v", f"smtp{'s' * s.implicit}://localhost:{s.port}", *(() if s.implicit else ("--ssl-reqd",)), "--cacert", s.ca,
                 "--user", f"{s.login}:{s.password}", "--login-options", f"AUTH={s.mechanism}", "--mail-from", FROM, "--mail-rcpt", TO,
                 "--upload-file", crlf)


def msmtp(s):
    conf = s.folder / "msmtprc"
    conf.touch(mode=0o600)
    conf.write_text(f"account default\nhost localhost\nport {s.port}\ntls on\ntls_starttls {'off' if s.implicit else 'on'}\ntls_trust_file {s.ca}\n"
                    f"auth {s.mechanism.lower()}\nuser {s.login}\npassword {s.password}\nfrom {FROM}\n")
    return s.run("msmtp", "-v", "-C", conf, TO, text=s.message.read_text())


def s_nail(s):
    """It writes the header itself."""
    options = ["v15-compat", f"mta=smtp{'s' * s.implicit}://{s.login}:{s.password}@localhost:{s.port}", f"smtp-auth={s.mechanism.lower()}",
               f"tls-ca-file={s.ca}", "tls-ca-no-defaults", "tls-verify=strict", "sendwait", f"from={FROM}", "mime-encoding=8bit", "ttycharset=utf-8"]
    options += [] if s.implicit else ["smtp-use-starttls"]
    return s.run("s-nail", "-:/", "-v", *[word for option in options for word in ("-S", option)], "-s", "hello", TO, text=BODY)


def python(s):
    made = context(s.authority)
    begin = (lambda: smtplib.SMTP_SSL("localhost", s.port, timeout=20, context=made)) if s.implicit else lambda: smtplib.SMTP("localhost", s.port, timeout=20)
    with begin() as client:
        if not s.implicit:
            client.starttls(context=made)
        client.ehlo()
        client.user, client.password = s.login, s.password
        try:
            client.auth(s.mechanism, {"PLAIN": client.auth_plain, "LOGIN": client.auth_login}[s.mechanism])
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code
        client.sendmail(FROM, [TO], s.wire(), mail_options=["BODY=8BITMIME"])
    return 0


PROGRAMS = (swaks, swaks_pipelining, curl, msmtp, s_nail, python)


def check_arrived(mta, login, mechanism):
    [mail] = mta.wait_mails("alice")
    received = mail.decode().split("\n\n")[0]
    assert re.search(r"^Received: from .*\(using TLSv1\.3 with cipher .*with ESMTPSA id ", received, re.M | re.S), received
    assert re.search(r"^Subject: hello$", received, re.M)
    assert mail.decode().endswith("\n\n" + BODY)
    assert mta.wait_log(rf"sasl_method={mechanism}, sasl_username={login}$")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_submits(served, authority, tmp_path, program, way, mechanism):
    mta = served()
    connect(mta, authority).close()         # AUTH is offered
    assert program(Submission(mta, authority, tmp_path, way, mechanism)) == 0
    check_arrived(mta, "bob", mechanism)


@pytest.mark.parametrize("way", WAYS)
def test_submits_with_scram(served, authority, tmp_path, way):
    """Beside -PLUS, which msmtp does not know: the exchange must not be taken for one that somebody weakened."""
    if "scram-sha-256" not in subprocess.run(["msmtp", "--version"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("this msmtp was built without SCRAM-SHA-256")
    mta = served(submission={"mechanisms": ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], "sender-rights": "off"})     # alice writes as bob
    connect(mta, authority).close()
    assert msmtp(Submission(mta, authority, tmp_path, way, "SCRAM-SHA-256", login="alice")) == 0
    check_arrived(mta, "alice", "SCRAM-SHA-256")
    (tmp_path / "again").mkdir()
    assert msmtp(Submission(mta, authority, tmp_path / "again", way, "SCRAM-SHA-256", WRONG, "alice")) != 0
    mta.wait_log("SASL SCRAM-SHA-256 authentication failed")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_password_fails(served, authority, tmp_path, program, way):
    mta = served()
    connect(mta, authority).close()
    assert program(Submission(mta, authority, tmp_path, way, "PLAIN", WRONG)) != 0
    mta.wait_log(r"SASL PLAIN authentication failed: authentication failure, sasl_username=bob$")
    assert mta.mails("alice") == [] and "Mail queue is empty" in mta.mailq()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_certificate_of_somebody_else_is_seen(served, authority, tmp_path, program):
    """Otherwise the tests above would say nothing about the chain that is shown."""
    mta = served()
    connect(mta, authority).close()
    submission = Submission(mta, Authority(tmp_path / "stranger"), tmp_path, "starttls", "PLAIN")
    try:
        assert program(submission) != 0
    except OSError as error:
        assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert "sasl_username" not in mta.words(100000)
