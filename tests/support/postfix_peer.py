#!/usr/bin/python3
"""postfix_peer — Debian's Postfix in a private root, as the other MTA of demonstrations and measurements.

The packages are fetched with `apt-get download` and unpacked with `dpkg -x`; nothing is installed, no file outside the
given folders is touched. Postfix wants root to start, a user `postfix` and a group `postdrop`: those two are created when missing.

    tree = postfix_peer.fetch("build/peers")
    with PostfixPeer("/var/tmp/peer", tree, ("127.0.0.2", 2526), {"defer_transports": "smtp"}) as peer:
        ...
        peer.log_text(); peer.postqueue(); peer.pids()

As a program: postfix_peer.py PEERS INSTANCE ADDRESS:PORT [name=value ...] starts one in the foreground.
"""
import grp
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

import deb_tree
from deb_tree import Unavailable, library_path, open_to_all

MASTER = """
{listen} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


PROGRAMS = ("usr/lib/postfix/sbin/smtpd", "usr/lib/postfix/libpostfix-util.so", "usr/sbin/postconf")


def fetch(peers):
    """Returns the folder into which Postfix and what it lacks here are unpacked; does nothing when they are there."""
    return deb_tree.fetch(peers, "postfix", "postfix", PROGRAMS)


def ensure_accounts():
    deb_tree.ensure_accounts(["postfix"], ["postdrop"])


# -- an instance --------------------------------------------------------------------------------------------------------

class PostfixPeer:
    def __init__(self, directory, tree, address, settings=None, master_lines="", hostname="peer.test", binds=None):
        self.directory = pathlib.Path(directory).resolve()
        self.tree = pathlib.Path(tree)
        self.address = address
        self.settings = settings or {}
        self.master_lines = master_lines
        self.hostname = hostname
        self.binds = binds or {}            # file: path that it lies over, for this Postfix alone (a resolv.conf, say)
        self.process = None
        self.conf = self.directory / "etc"
        self.queue = self.directory / "spool"
        self.log = self.directory / "log/maillog"

    def defaults(self):
        lib = self.tree / "usr/lib/postfix"
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "data_directory": self.directory / "data",
            "command_directory": self.tree / "usr/sbin",
            "daemon_directory": lib / "sbin",
            "shlib_directory": lib,
            "meta_directory": self.tree / "etc/postfix",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "default_privs": "nobody",
            "maillog_file": self.log,
            "maillog_file_prefixes": self.directory,
            "import_environment": "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH",
            "myhostname": self.hostname,
            "mydestination": self.hostname,
            "mynetworks": "127.0.0.0/8",
            "inet_protocols": "ipv4",
            "inet_interfaces": "loopback-only",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "smtpd_peername_lookup": "no",
            "smtpd_client_connection_count_limit": "0",
            "biff": "no",
            "readme_directory": "no",
        }

    def lay_out(self):
        """Folders with the owners that Postfix wants (its own postfix-files list says the same)."""
        ensure_accounts()
        owner, drop = pwd.getpwnam("postfix"), grp.getgrnam("postdrop").gr_gid
        self.directory.mkdir(parents=True, exist_ok=True)
        if not open_to_all(self.directory):
            raise Unavailable(f"{self.directory} lies below a folder that the user postfix may not enter")
        if not open_to_all(self.tree):
            shutil.copytree(self.tree, self.directory / "tree", dirs_exist_ok=True)
            self.tree = self.directory / "tree"
        rows = [("etc", 0, 0, 0o755), ("log", 0, 0, 0o755), ("data", owner.pw_uid, owner.pw_gid, 0o700), ("spool", 0, 0, 0o755),
                ("spool/pid", 0, 0, 0o755), ("spool/public", owner.pw_uid, drop, 0o2710), ("spool/maildrop", owner.pw_uid, drop, 0o1730)]
        rows += [(f"spool/{name}", owner.pw_uid, 0, 0o700) for name in
                 ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")]
        rows.append(("mail", pwd.getpwnam("nobody").pw_uid, 0, 0o755))      # for virtual_mailbox_base
        for name, uid, gid, mode in rows:
            path = self.directory / name
            path.mkdir(exist_ok=True)
            os.chown(path, uid, gid)
            path.chmod(mode)
        self.log.touch(mode=0o644)      # otherwise postlogd makes it for root alone

    def configure(self):
        rows = {**self.defaults(), **self.settings}
        (self.conf / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in rows.items()))
        listen = f"{self.address[0]}:{self.address[1]}"
        (self.conf / "master.cf").write_text(MASTER.format(listen=listen) + self.master_lines)

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "LD_LIBRARY_PATH": library_path(self.tree), "MAIL_CONFIG": str(self.conf)}

    def start(self, seconds=30):
        self.lay_out()
        self.configure()
        self.errors = open(self.directory / "log/stderr", "ab")
        master = [self.tree / "usr/lib/postfix/sbin/master", "-d", "-c", self.conf]
        self.process = subprocess.Popen(deb_tree.private_mounts(self.binds, master), cwd=self.queue, env=self.environment(),
                                        stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors, start_new_session=True)
        end = time.monotonic() + seconds
        while not self.greets():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Unavailable("Postfix does not answer: " + self.log_text()[-1500:] + (self.directory / "log/stderr").read_text()[-1500:])
            time.sleep(0.1)
        return self

    def greets(self):
        try:
            with socket.create_connection(self.address, 2) as sock:
                sock.settimeout(5)
                if sock.recv(200).startswith(b"220"):
                    sock.sendall(b"QUIT\r\n")
                    sock.recv(200)
                    return True
        except OSError:
            pass
        return False

    def tool(self, name, *arguments):
        """One of Postfix's commands: its output. postqueue, postsuper, postconf, postmap ..."""
        return subprocess.run([self.tree / "usr/sbin" / name, "-c", self.conf, *arguments], env=self.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300).stdout

    def postqueue(self):
        return self.tool("postqueue", "-p")

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def pids(self):
        """master and everything it started: they share its session."""
        found = []
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    text = pathlib.Path(entry.path, "stat").read_text()
                except OSError:
                    continue
                if int(text[text.rindex(")") + 2:].split()[3]) == self.process.pid:
                    found.append(int(entry.name))
        return found

    def stop(self):
        if self.process is None:
            return
        pids = self.pids()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.errors.close()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def main():
    if len(sys.argv) < 4:
        print(__doc__.split("As a program: ")[1], file=sys.stderr)
        return 64
    host, _, port = sys.argv[3].rpartition(":")
    settings = dict(word.split("=", 1) for word in sys.argv[4:])
    # Handlers, not a blocked mask: that would be inherited by Postfix.
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: sys.exit(0))
    try:
        with PostfixPeer(sys.argv[2], fetch(sys.argv[1]), (host, int(port)), settings) as peer:
            print(f"Postfix listens on {sys.argv[3]}; its log is {peer.log}", flush=True)
            signal.pause()
    except Unavailable as error:
        print(f"postfix_peer: {error}", file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
