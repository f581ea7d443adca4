"""logins — users with a password, as `submission.users` has them, and a session that is ready to log in."""
import base64
import hashlib
import hmac
import smtplib
import ssl
import time

from posthorn import HOSTNAME

PASSWORD = "pencil"
BOB = "$2b$04$abcdefghijklmnopqrstuu/FyAyuZSl3DbPdvio4KrIBdz2k2yhV2"
CAROL = "$y$j9T$Tg5sP1m8vWbW0nS5i4Xr0/$rqejRZBujL4yZqdA45n1b4.3UW82pRUvkyeS04GqLQD"
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")


def scram_keys():
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, 4096)
    client, server = (hmac.digest(salted, what, "sha256") for what in (b"Client Key", b"Server Key"))
    return client, server, "{SCRAM-SHA-256}4096,%s,%s,%s" % tuple(
        base64.b64encode(x).decode() for x in (SALT, hashlib.sha256(client).digest(), server))


def password_file():
    """bob's and carol's passwords as hashes, alice's as SCRAM keys."""
    return f"# who\nbob:{BOB}\ncarol:{CAROL}\nalice:{scram_keys()[2]}\n"


def plain(login, password):
    """What stands behind AUTH."""
    return "PLAIN " + base64.b64encode(f"\0{login}\0{password}".encode()).decode()


def tls_submission(authority, submission):
    """Settings: STARTTLS on submission, and there these users."""
    certificate, key = authority.issue("main", HOSTNAME)
    return {"tls main": {"certificate": [str(certificate)], "key": [str(key)]}, "listener submission": {"tls": ["main"]},
            "submission": {"auth-failure-delay": "50ms", **submission}}


def context(authority):
    return ssl.create_default_context(cafile=str(authority.certificate))


def connect(mta, authority):
    """Below TLS, as soon as something is offered: a moment after the start lookup has not said yet what it can."""
    for _ in range(200):
        client = smtplib.SMTP(*mta.submission, timeout=20)
        client._host = HOSTNAME
        client.starttls(context=context(authority))
        client.ehlo("client.example")
        if client.has_extn("auth"):
            return client
        client.close()
        time.sleep(0.05)
    raise AssertionError("AUTH is not offered: " + mta.words())
