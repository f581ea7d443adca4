"""Logging in: with a file of hashes, by SCRAM bound to the TLS connection, and by a real Dovecot; and who may send what because of it."""
import base64
import getpass
import hashlib
import hmac
import os
import shutil
import smtplib
import socket
import subprocess
import time

import pytest

from certificates import Authority
from client import Client
from logins import BOB, PASSWORD, connect, password_file, plain, scram_keys, tls_submission
from posthorn import merged
from waiting import wait_for

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def start(posthorn, authority, tmp_path):
    """A function that starts a posthorn with these settings of submission; STARTTLS on submission."""
    passwords = tmp_path / "passwords"
    passwords.write_text(password_file())

    def begin(submission=None, **over):
        settings = tls_submission(authority, {"users": f"file:{passwords}", **(submission or {})})
        mta = posthorn(merged(settings, over))
        mta.passwords = passwords
        return mta

    return begin


def test_bob_sends_to_far_away(start, authority, sink):
    mta = start()
    with connect(mta, authority) as client:
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        assert client.docmd("MAIL", "FROM:<bob@local.test>")[0] == 530
        client.login("bob", PASSWORD)
        client.sendmail("bob@local.test", ["someone@far.test"], MESSAGE)
    [transaction] = sink.wait(1)
    received = transaction.content.decode()
    assert " with ESMTPSA id " in received and "bob" not in received.split("Subject:")[0].split("by ")[0]
    line = mta.wait_log(r": client=unknown\[127\.0\.0\.1\], sasl_method=PLAIN, sasl_username=bob$")
    assert line


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("user", ["bob", "alice", "carol"])
def test_mechanisms(start, authority, mechanism, user):
    mta = start()
    with connect(mta, authority) as client:
        client.user, client.password = user, PASSWORD
        how = {"PLAIN": client.auth_plain, "LOGIN": client.auth_login}[mechanism]
        assert client.auth(mechanism, how)[0] == 235
        client.sendmail(f"{user}@local.test", ["alice@local.test"], MESSAGE)
    assert mta.wait_mails("alice")


def test_wrong_passwords(start, authority, sink):
    mta = start()
    with connect(mta, authority) as client:
        for login, password in (("bob", "pen"), ("nobody", PASSWORD), ("bob", "")):
            assert client.docmd("AUTH", plain(login, password))[0] == 535
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.docmd("NOOP")
            client.docmd("NOOP")
    mta.wait_log(r"warning: unknown\[127\.0\.0\.1\]: SASL PLAIN authentication failed: authentication failure, sasl_username=bob$")
    with connect(mta, authority) as client:
        client.docmd("AUTH", plain("bob", "pen"))
        assert client.docmd("MAIL", "FROM:<bob@local.test>")[0] == 530
    assert PASSWORD not in mta.words(1000000)
    assert sink.transactions == []


def test_nothing_in_clear(start):
    mta = start()
    with Client(mta.submission) as client:
        reply = client.command("EHLO x")
        assert "AUTH" not in str(reply)
        assert (client.command("AUTH " + plain("bob", PASSWORD)).code, client.command("MAIL FROM:<bob@local.test>").code) == (538, 530)
    with Client(mta.mx) as client:
        client.hello()
        assert client.command("AUTH " + plain("bob", PASSWORD)).code == 503


def test_guessing_is_put_off(start, authority):
    mta = start({"auth-failures": 2})
    with connect(mta, authority) as client:
        for _ in range(2):
            assert client.docmd("AUTH", plain("bob", "pen"))[0] == 535
    with connect(mta, authority) as client:
        assert client.docmd("AUTH", plain("bob", PASSWORD))[0] == 454
    mta.wait_log("SASL PLAIN authentication failed: too many failed logins")


def test_a_missing_file_is_trouble(start, authority):
    mta = start()
    away = mta.passwords.with_suffix(".away")
    mta.passwords.rename(away)
    with connect(mta, authority) as client:
        assert client.docmd("AUTH", plain("bob", PASSWORD))[0] == 454
        away.rename(mta.passwords)
        assert client.docmd("AUTH", plain("bob", PASSWORD))[0] == 235


# -- SCRAM, from the RFC's text and not from ours -----------------------------------------------------------------------


def scram(client, login, header, binding=b""):
    """The reply to the last word. `header` is the gs2-header."""
    mechanism = "SCRAM-SHA-256-PLUS" if header.startswith("p=") else "SCRAM-SHA-256"
    bare = f"n={login},r=abcdefghij"
    code, text = client.docmd("AUTH", f"{mechanism} {base64.b64encode((header + bare).encode()).decode()}")
    if code != 334:
        return code
    first = base64.b64decode(text).decode()
    fields = dict(part.split("=", 1) for part in first.split(","))
    client_key, server_key, _ = scram_keys()
    final = f"c={base64.b64encode(header.encode() + binding).decode()},r={fields['r']}"
    message = ",".join((bare, first, final)).encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    code, text = client.docmd(base64.b64encode(f"{final},p={proof}".encode()).decode())
    if code != 334:
        return code
    assert base64.b64decode(text) == b"v=" + base64.b64encode(hmac.digest(server_key, message, "sha256"))
    return client.docmd("")[0]


def test_scram(start, authority):
    mta = start({"mechanisms": ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"]})
    with connect(mta, authority) as client:
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]
        assert scram(client, "alice", "n,,") == 235
    certificate = hashlib.sha256(client_certificate(mta, authority)).digest()
    for login, header, binding, code in (("alice", "p=tls-server-end-point,,", certificate, 235),
                                         ("alice", "p=tls-server-end-point,,", certificate[::-1], 535),
                                         ("alice", "p=tls-unique,,", certificate, 535),
                                         ("alice", "y,,", b"", 535),
                                         ("bob", "n,,", b"", 535), ("nobody", "n,,", b"", 535)):
        with connect(mta, authority) as client:
            assert scram(client, login, header, binding) == code, (login, header)
    mta.wait_log("somebody has hidden -PLUS from the client")


def client_certificate(mta, authority):
    with connect(mta, authority) as client:
        return client.sock.getpeercert(binary_form=True)


# -- processes come and go ---------------------------------------------------------------------------------------------


def test_queue_anew_knows_who_is_logged_in(start, authority, sink):
    mta = start()
    with connect(mta, authority) as client:
        client.login("bob", PASSWORD)
        mta.kill_one("queue")
        wait_for(mta.serves, 20, "the queue")
        wait_for(lambda: sent(client), 20, "a message of bob's")
    assert sink.wait(1)


def sent(client):
    """False for "try later"; anything else is a failure of the test."""
    try:
        client.sendmail("bob@local.test", ["someone@far.test"], MESSAGE)
        return True
    except smtplib.SMTPRecipientsRefused as refused:
        assert all(code < 500 for code, _ in refused.recipients.values()), refused
    except smtplib.SMTPResponseException as refused:
        assert refused.smtp_code < 500, refused
    time.sleep(0.5)                     # a session has only so many errors
    return False


@pytest.mark.parametrize("how", ["killed", "reloaded"])
def test_logins_outlive_lookup(start, authority, sink, how):
    mta = start()
    with connect(mta, authority) as client:
        client.login("bob", PASSWORD)
        before = mta.pids("lookup")
        mta.kill_one("lookup") if how == "killed" else mta.reload()
        wait_for(lambda: mta.pids("lookup") and not set(mta.pids("lookup")) & set(before), 20, "another lookup")
        wait_for(lambda: sent(client), 20, "a message of bob's")
        with connect(mta, authority) as other:
            other.login("bob", PASSWORD)
        assert client.docmd("NOOP")[0] == 250
        assert sent(client)
    assert sink.wait(2)


# -- what a login may send in an hour -----------------------------------------------------------------------------------


def reply_to(mta, authority, login, recipients=1):
    """The first reply that says no to a message of this login's in a session of its own, or the last: its code and its text."""
    with connect(mta, authority) as client:
        client.login(login, PASSWORD)
        for word in [f"MAIL FROM:<{login}@local.test>"] + [f"RCPT TO:<r{i}@far.test>" for i in range(recipients)]:
            code, text = client.docmd(word)
            if code != 250:
                return code, text.decode()
        code, text = client.data(MESSAGE)
        return code, text.decode()


def wait_for_reply(mta, authority, login, wanted, never):
    """The same, while processes come and go: until the wanted code came, with that other one never before it."""
    codes = []

    def came():
        try:
            codes.append(reply_to(mta, authority, login)[0])
        except (smtplib.SMTPException, OSError) as error:
            codes.append(getattr(error, "smtp_code", None))
        return wanted in codes

    wait_for(came, 20, lambda: f"{wanted}: {codes}")
    assert never not in codes


def test_a_login_sends_so_much_an_hour(start, authority, sink, tmp_path):
    mta = start({"login-messages": 3, "login-recipients": 10})
    for _ in range(3):
        assert reply_to(mta, authority, "bob")[0] == 250
    assert reply_to(mta, authority, "bob") == (450, "4.7.1 Error: too much mail from you, try again in 20 minutes")
    mta.wait_log(r"warning: [0-9A-Z]{13}: login bob: login-messages is 3 an hour; a message to 1 fits in 1[0-9]{3} s$")
    assert reply_to(mta, authority, "carol", 11)[0] == 554
    assert reply_to(mta, authority, "carol", 10)[0] == 250
    assert reply_to(mta, authority, "carol", 5) == (450, "4.7.1 Error: too many recipients from you, try again in 30 minutes")
    assert reply_to(mta, authority, "alice")[0] == 250
    assert "logins-limited 2\n" in mta.posthorn("status")
    assert sum(len(transaction.recipients) for transaction in sink.wait(5)) == 14
    mta.posthorn("queue", "backup", tmp_path / "backup")
    assert not list((tmp_path / "backup").glob("logins*"))


def test_a_reload_brings_other_limits(start, authority, sink):
    mta = start({"login-messages": 1})
    assert [reply_to(mta, authority, "bob")[0] for _ in range(2)] == [250, 450]
    mta.conf.write_text(mta.conf.read_text().replace("login-messages = 1", "login-messages = 2"))
    mta.reload()
    wait_for_reply(mta, authority, "bob", 250, never=554)
    wait_for_reply(mta, authority, "bob", 450, never=250)


def written(mta, login):
    """Thousandths of messages of this login's, as the file has them."""
    path = mta.directory / "queue/logins"
    lines = path.read_text().split("\n")[1:] if path.exists() else []
    return sum(int(line.split()[0]) for line in lines if line.endswith(" " + login))


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_what_was_sent_outlives_queue(start, authority, sink, how):
    mta = start({"login-messages": 3})
    for _ in range(3):
        assert reply_to(mta, authority, "bob")[0] == 250
    if how == "killed":
        wait_for(lambda: written(mta, "bob") > 2500, 20, "the file")
        mta.kill_one("queue")
    else:
        mta.stop()
        assert written(mta, "bob") > 2500
        assert mta.command("posthorn", "queue", "audit", seconds=60).returncode == 0
        mta.restart()
    wait_for_reply(mta, authority, "bob", 450, never=250)
    wait_for_reply(mta, authority, "alice", 250, never=450)
    assert len(sink.wait(4)) == 4


# -- Dovecot -----------------------------------------------------------------------------------------------------------


DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/sbin:/bin")

CONFIGURATION = """
base_dir = {run}
state_dir = {run}/state
log_path = {run}/log
protocols =
ssl = no
default_internal_user = {me}
default_internal_group = {group}
default_login_user = {me}
auth_mechanisms = plain login scram-sha-256
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service auth {{
  user = {me}
  unix_listener auth-client {{
    mode = 0666
  }}
}}
passdb {{
  driver = passwd-file
  args = {run}/users
}}
userdb {{
  driver = static
  args = uid={me} gid={group} home=/tmp
}}
"""


@pytest.fixture
def dovecot(tmp_path_factory):
    """A Dovecot of our own that knows bob and alice; gives the path of its socket."""
    if DOVECOT is None:
        pytest.skip("there is no dovecot here: apt-get install dovecot-core")
    import grp
    run = tmp_path_factory.mktemp("dovecot")
    run = type(run)(f"/tmp/dc-{os.getpid()}-{run.name[-4:]}")      # Unix socket paths are short
    run.mkdir()
    (run / "users").write_text(f"bob:{{BLF-CRYPT}}{BOB}\nalice:{scram_keys()[2]}\n")
    (run / "conf").write_text(CONFIGURATION.format(run=run, me=getpass.getuser(), group=grp.getgrgid(os.getgid()).gr_name))
    process = subprocess.Popen([DOVECOT, "-F", "-c", run / "conf"], stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(run / "auth-client") or process.poll() is not None, 20, "Dovecot")
        assert process.poll() is None, (run / "log").read_text() if (run / "log").exists() else "no log"
        yield run / "auth-client"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(run)


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        try:
            s.connect(str(path))
            return s.recv(7) == b"VERSION"
        except OSError:
            return False


def test_dovecot(start, authority, sink, dovecot):
    mta = start({"users": f"dovecot:{dovecot}"})
    with connect(mta, authority) as client:
        assert set(client.esmtp_features["auth"].split()) == {"PLAIN", "LOGIN", "SCRAM-SHA-256"}
        client.user, client.password = "bob", PASSWORD
        assert client.auth("LOGIN", client.auth_login)[0] == 235
        client.sendmail("bob@local.test", ["someone@far.test"], MESSAGE)
    assert sink.wait(1)
    with connect(mta, authority) as client:
        assert client.docmd("AUTH", plain("bob", "pen"))[0] == 535
        assert client.docmd("AUTH", plain("bob", PASSWORD))[0] == 235
    with connect(mta, authority) as client:
        assert scram(client, "alice", "n,,") == 235
    mta.wait_log(r"SASL PLAIN authentication failed: .*sasl_username=bob")
    mta.wait_log(r"client=.*sasl_method=LOGIN, sasl_username=bob$")
