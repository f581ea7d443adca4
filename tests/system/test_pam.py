"""Logging in by PAM: real modules, services in files of the test's own, users in a database as pam_userdb reads it."""
import dbm.ndbm
import os
import signal

import pytest

from certificates import Authority
from logins import BOB, CAROL, PASSWORD, connect, plain, tls_submission
from posthorn import merged
from waiting import wait_for

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def service(tmp_path):
    """A function that writes the service and gives its path; without lines the users are bob and carol."""
    with dbm.ndbm.open(str(tmp_path / "users"), "c") as users:
        users["bob"], users["carol"] = BOB, CAROL
    userdb = f"pam_userdb.so db={tmp_path}/users crypt=crypt"

    def write(*lines, name="smtp"):
        path = tmp_path / name
        path.write_text("\n".join(lines or (f"auth required {userdb}", f"account required {userdb}")) + "\n")
        return path

    return write


@pytest.fixture
def start(posthorn, authority, service):
    """A function that starts a posthorn whose users are in that service."""
    def begin(submission=None, **over):
        return posthorn(merged(tls_submission(authority, {"users": f"pam:{service()}", **(submission or {})}), over))

    return begin


def code_of(mta, authority, login="bob", password=PASSWORD):
    """Of AUTH in a session of its own."""
    with connect(mta, authority) as client:
        return client.docmd("AUTH", plain(login, password))[0]


def test_bob_sends_to_far_away(start, authority, sink):
    mta = start()
    with connect(mta, authority) as client:
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        assert client.docmd("MAIL", "FROM:<bob@local.test>")[0] == 530
        client.login("bob", PASSWORD)
        client.sendmail("bob@local.test", ["someone@far.test"], MESSAGE)
    assert sink.wait(1)
    mta.wait_log(r": client=unknown\[127\.0\.0\.1\], sasl_method=PLAIN, sasl_username=bob$")
    said = mta.posthorn("status")
    assert "logins_right 1\n" in said and "troubles 0\n" in said


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("user", ["bob", "carol"])
def test_mechanisms(start, authority, mechanism, user):
    mta = start()
    with connect(mta, authority) as client:
        client.user, client.password = user, PASSWORD
        how = {"PLAIN": client.auth_plain, "LOGIN": client.auth_login}[mechanism]
        assert client.auth(mechanism, how)[0] == 235
        client.sendmail(f"{user}@local.test", ["alice@local.test"], MESSAGE)
    assert mta.wait_mails("alice")


def test_wrong_passwords(start, authority):
    mta = start()
    with connect(mta, authority) as client:
        for login, password in (("bob", "pen"), ("nobody", PASSWORD)):
            assert client.docmd("AUTH", plain(login, password))[0] == 535
        assert client.docmd("AUTH", plain("bob", PASSWORD))[0] == 235
    mta.wait_log(r"SASL PLAIN authentication failed: authentication failure, sasl_username=bob$")
    mta.wait_log(r"SASL PLAIN authentication failed: authentication failure, PAM does not know the user, sasl_username=nobody$")
    with connect(mta, authority) as client:
        assert client.docmd("AUTH", "SCRAM-SHA-256 biwsbj1ib2Iscj14")[0] == 504
    assert PASSWORD not in mta.words(1000000)


def test_guessing_is_put_off(start, authority):
    mta = start({"auth-failures": 2})
    assert [code_of(mta, authority, password="pen") for _ in range(2)] == [535, 535]
    assert code_of(mta, authority) == 454


def test_an_account_that_may_not(start, authority, service):
    mta = start()
    service("auth required pam_permit.so", "account required pam_deny.so")
    assert code_of(mta, authority) == 535
    mta.wait_log("SASL PLAIN authentication failed: authentication failure, sasl_username=bob")


@pytest.mark.parametrize("trouble", ["no module", "no service", "no database", "a module that runs a program"])
def test_trouble_is_no_wrong_password(start, authority, service, tmp_path, trouble):
    """454 as long as it lasts, and then, without a word to posthorn, 235."""
    mta = start({"auth-failures": 1})
    if trouble == "no module":
        service("auth required pam_there_is_none.so", "account required pam_permit.so")
    elif trouble == "no service":
        service().unlink()
    elif trouble == "no database":
        (tmp_path / "users.db").rename(tmp_path / "away.db")
    else:
        service("auth required pam_exec.so /bin/true", "account required pam_permit.so")
    assert [code_of(mta, authority) for _ in range(3)] == [454] * 3
    if trouble == "no database":
        (tmp_path / "away.db").rename(tmp_path / "users.db")
    service()
    assert code_of(mta, authority) == 235


def test_hashes_that_only_root_reads(start, authority, service):
    """Without root pam_unix runs a helper of its own for them, and nothing is run here."""
    mta = start({"auth-failures": 1})
    service("auth required pam_unix.so", "account required pam_unix.so")
    assert [code_of(mta, authority, "daemon") for _ in range(3)] == [454] * 3


def test_a_module_that_hangs(start, authority, service):
    """The service is a pipe that nobody writes to: whoever opens it waits, until it is killed."""
    mta = start({"auth-workers": 1}, lookup={"answer-timeout": "1s"})
    path = service()
    path.unlink()
    os.mkfifo(path)
    assert code_of(mta, authority) == 454
    path.unlink()
    service()
    assert code_of(mta, authority) == 235


def test_the_process_pam_is_killed(start, authority):
    mta = start()
    old = mta.kill_one("pam")
    os.kill(mta.process.pid, signal.SIGSTOP)        # nobody brings it back meanwhile
    try:
        wait_for(lambda: old not in mta.pids("pam"), 10, "its end")
        assert code_of(mta, authority) == 454
        mta.wait_log("the process pam: .* nobody can log in until it is back")
    finally:
        os.kill(mta.process.pid, signal.SIGCONT)
    wait_for(lambda: code_of(mta, authority) == 235, 20, "a login by another pam")


def test_from_a_file_to_pam_and_back(start, authority, service, tmp_path):
    (tmp_path / "passwords").write_text(f"bob:{BOB}\n")
    mta = start({"users": f"file:{tmp_path}/passwords"})
    assert mta.pids("pam") == []
    assert code_of(mta, authority, "carol") == 535
    mta.configure({"submission": {"users": f"pam:{service()}"}})
    mta.reload()
    wait_for(lambda: mta.pids("pam") and code_of(mta, authority, "carol") == 235, 20, "carol's login by PAM")
    mta.configure({"submission": {"users": f"pam:{service('auth required pam_deny.so', name='other-smtp')}"}})
    mta.reload()
    wait_for(lambda: code_of(mta, authority, "bob") == 535, 20, "the other service")
    mta.configure({"submission": {"users": f"file:{tmp_path}/passwords"}})
    mta.reload()
    wait_for(lambda: not mta.pids("pam"), 20, "the end of pam")
    wait_for(lambda: code_of(mta, authority, "bob") == 235, 20, "bob's login by the file")
