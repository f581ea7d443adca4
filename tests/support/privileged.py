"""privileged — a posthorn started as root: its own accounts, two users of the system, and their homes.

The accounts ph-user1 and ph-user2 are made for a test and removed behind it; posthorn's own are made when they are missing
(etc/posthorn.sysusers) and stay.
"""
import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

from certificates import Authority
from posthorn import DOMAIN, HOSTNAME, Posthorn, merged

# binary in ps, its user, whether it lives in the empty folder (common/proc/sandbox.c)
SERVICES = [
    ("logger", "posthorn-log", False),
    ("lookup", "posthorn-lookup", False),
    ("key", "posthorn-key", True),
    ("queue", "posthorn-queue", False),
    ("relay", "posthorn-relay", True),
    ("mda", "posthorn-mda", True),
    ("smtpd-mx", "posthorn-smtpd", True),
    ("smtpd-trusted", "posthorn-smtpd", True),
    ("smtpd-submission", "posthorn-smtpd", True),
]
USERS = ("ph-user1", "ph-user2")
VIRTUAL = "virtual.test"            # a domain with a file of users: what a careless administrator may write into it


def account(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def ensure_services():
    for user in {user for _, user, _ in SERVICES}:
        if account(user) is None:
            subprocess.run(["useradd", "-r", "-M", "-U", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", user], check=True)


@contextlib.contextmanager
def two_homes():
    """Two accounts of the system with homes of their own; the way there is open to all, the homes are not."""
    ensure_services()
    top = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-homes.", dir="/var/tmp"))
    top.chmod(0o755)
    for user in USERS:
        if account(user) is not None:
            subprocess.run(["userdel", user], check=True)
        subprocess.run(["useradd", "-r", "-M", "-U", "-d", top / user, "-s", "/usr/sbin/nologin", user], check=True)
    try:
        yield top
    finally:
        for user in USERS:
            subprocess.run(["userdel", user], check=False)
        shutil.rmtree(top)


class PrivilegedPosthorn(Posthorn):
    def write_users(self, users=None):
        (self.directory / "virtual").write_text("")
        self.service = self.directory / "smtp"
        self.service.write_text("auth required pam_unix.so\naccount required pam_unix.so\n")

    def maildir(self, user):
        return pathlib.Path(pwd.getpwnam(user).pw_dir) / "Maildir"

    def line(self, name, uid, gid, home):
        with open(self.directory / "virtual", "a", encoding="ascii") as out:
            out.write(f"{name}:x:{uid}:{gid}::{home}:/usr/sbin/nologin\n")


@contextlib.contextmanager
def privileged(homes, dns, sink, over=None, pam=False, **options):
    """A posthorn that has root's rights, with a certificate, users of the system, and a domain whose users stand in a file. pam: who logs
    in is asked of PAM."""
    for user in USERS:
        home = homes / user
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700)
        os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-privileges.", dir="/var/tmp"))
    directory.chmod(0o755)
    authority = Authority(directory / "authority")
    chain, key = authority.issue("mx", HOSTNAME)
    settings = {
        "tls public": {"certificate": [str(chain)], "key": [str(key)]},
        "listener mx": {"tls": ["public"]},
        f"domain {DOMAIN}": {"users": "system", "maildir": "Maildir"},
        f"domain {VIRTUAL}": {"users": f"file:{directory}/p/virtual", "maildir": "Maildir"},
        "postmaster": f"ph-user1@{DOMAIN}",
        "mda": {"first-uid": 500, "worker-idle": "60s"},
    }
    if pam:
        settings["listener submission"] = {"tls": ["public"]}
        settings["submission"] = {"users": f"pam:{directory}/p/smtp", "auth-failure-delay": "50ms"}
    try:
        with PrivilegedPosthorn(directory / "p", merged(settings, over or {}), dns=dns, mx_port=sink.port, users=USERS, **options) as posthorn:
            posthorn.authority = authority
            yield posthorn
    finally:
        shutil.rmtree(directory)
