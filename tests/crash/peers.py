"""peers — Debian's Postfix, Exim and OpenSMTPD behind one face, each on a disk whose power can be cut.

Each takes mail for everybody from loopback, keeps it while `hold` is true, and otherwise passes all of it to one next hop. The
settings are the package's defaults but for that.
"""
import os
import pathlib
import pwd

from ledger import maildir_files
from mails import MARK
from posthorn import alive, kill
from postfix_peer import PostfixPeer
from postfix_peer import fetch as fetch_postfix
from private_root import PrivateRoot, fetch, version
from plant import greets
from station import USERS
from waiting import wait_for

START = 30


class Peer:
    """What all have in common. `places` is where disks are mounted; `prepare` makes what the package would have made there."""

    pipelined = True
    holds, doing = True, "while receiving"

    @property
    def places(self):
        return [self.spool]

    def delivered(self):
        """(message, recipient) of what is in mailboxes."""
        return ()

    def pids(self):
        raise NotImplementedError

    def wait_greeting(self):
        wait_for(lambda: greets(self.address), START, lambda: f"{self.name} to greet: {self.words()}")

    def kill(self):
        while pids := [pid for pid in self.pids() if alive(pid)]:       # some are started while others end
            for pid in pids:
                kill(pid)
            wait_for(lambda p=pids: not any(alive(pid) for pid in p), 20, f"the end of {self.name}")


class Postfix(Peer):
    name = "Postfix"

    def __init__(self, directory, peers, address, next_hop):
        self.directory, self.address, self.next_hop = pathlib.Path(directory), address, next_hop
        self.tree = fetch_postfix(peers)
        self.version = version(peers, "postfix")
        self.spool = self.directory / "spool"
        self.peer = None

    def prepare(self):
        """PostfixPeer makes its folders at each start."""

    def settings(self):
        return {}

    def start(self, hold):
        settings = {"relayhost": f"[127.0.0.1]:{self.next_hop}", "smtpd_recipient_restrictions": "permit_mynetworks,reject",
                    "default_process_limit": "100", "mydestination": "",
                    "local_header_rewrite_clients": ""}      # or it adds a Date, and no copy is what was sent
        settings.update(self.settings())
        if hold:
            settings["defer_transports"] = "smtp relay"
        self.peer = PostfixPeer(self.directory, self.tree, self.address, settings)
        self.peer.start()

    def flush(self):
        self.peer.tool("postqueue", "-f")

    def empty(self):
        return "Mail queue is empty" in self.peer.postqueue()

    def pids(self):
        return self.peer.pids() if self.peer and self.peer.process else []

    def kill(self):
        super().kill()
        if self.peer and self.peer.process:
            self.peer.process.wait(10)
            self.peer.process = None

    def words(self):
        return self.peer.log_text()[-1500:]

    def end(self):
        self.kill()


class PostfixMaildirs(Postfix):
    """Local users' mail goes into Maildirs on a disk of their own while mail comes in."""

    name = "Postfix Maildirs"
    holds, doing = False, "while receiving and delivering to Maildirs on a second disk"

    @property
    def places(self):
        return [self.spool, self.directory / "mail"]

    def prepare(self):
        nobody = pwd.getpwnam("nobody")
        os.chown(self.directory / "mail", nobody.pw_uid, nobody.pw_gid)
        (self.directory / "users").write_text("".join(f"{user}@local.test {user}/\n" for user in USERS))

    def settings(self):
        nobody = pwd.getpwnam("nobody")
        return {"virtual_mailbox_domains": "local.test", "virtual_mailbox_base": self.directory / "mail",
                "virtual_mailbox_maps": f"texthash:{self.directory}/users", "virtual_minimum_uid": "100",
                "virtual_uid_maps": f"static:{nobody.pw_uid}", "virtual_gid_maps": f"static:{nobody.pw_gid}"}

    def delivered(self):
        for user in USERS:
            for file in maildir_files(self.directory / "mail" / user):
                mark = MARK.search(file.read_bytes().replace(b"\n", b"\r\n"))
                yield mark.group(1).decode() if mark else "?", f"{user}@local.test"


class Rooted(Peer):
    """One that has a private root."""

    def __init__(self, directory, peers, address, next_hop):
        self.directory, self.address, self.next_hop = pathlib.Path(directory), address, next_hop
        self.directory.mkdir(parents=True, exist_ok=True)
        self.root = PrivateRoot(self.directory, fetch(peers, self.name, self.packages), self.accounts)
        self.version = version(peers, self.packages[0])
        self.spool = self.root.root / self.place
        self.spool.mkdir(parents=True, exist_ok=True)
        self.errors = self.directory / "said"
        self.process = None

    def launch(self, *command):
        with open(self.errors, "ab") as errors:
            self.process = self.root.start(*command, errors=errors)
        self.wait_greeting()

    def pids(self):
        return self.root.pids()

    def kill(self):
        super().kill()
        if self.process:
            self.process.wait(10)

    def words(self):
        return self.errors.read_text(errors="replace")[-1500:]

    def end(self):
        self.kill()
        self.root.end()


EXIM = """
primary_hostname = peer.test
local_interfaces = <; [{host}]:{port}
domainlist everything = *
acl_smtp_rcpt = accept
acl_smtp_data = accept
smtp_accept_max = 0
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
queue_only = {hold}
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
pid_file_path = /run/exim4.pid
never_users = root
begin routers
everything:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = next_hop
begin transports
next_hop:
  driver = smtp
  port = {next_hop}
  hosts_try_fastopen = :
  allow_localhost
begin retry
* * F,1h,1s
"""


class Exim(Rooted):
    name, place = "Exim", "var/spool/exim4"
    packages = ("exim4-daemon-light", "exim4-base", "libidn12")
    accounts = (("Debian-exim", 900),)

    def prepare(self):
        os.chown(self.spool, *self.root.ids("Debian-exim"))

    def start(self, hold):
        self.root.write("etc/exim4/exim4.conf", EXIM.format(host=self.address[0], port=self.address[1], next_hop=self.next_hop,
                                                            hold="true" if hold else "false"))
        log = self.root.root / "var/log/exim4"
        log.mkdir(parents=True, exist_ok=True)
        os.chown(log, *self.root.ids("Debian-exim"))
        self.launch("/usr/sbin/exim4", "-bdf", *(() if hold else ("-q10s",)))

    def flush(self):
        self.root.command("/usr/sbin/exim4", "-qff")

    def empty(self):
        return self.root.command("/usr/sbin/exim4", "-bpc").strip() == "0"


SMTPD = """
listen on {host} port {port} hostname peer.test
action "next" relay host smtp://127.0.0.1:{next_hop}
match from any for any action "next"
queue ttl 4d
"""


class OpenSmtpd(Rooted):
    name, place = "OpenSMTPD", "var/spool/smtpd"
    packages = ("opensmtpd",)
    pipelined = False
    accounts = (("opensmtpd", 901), ("opensmtpq", 902))

    def prepare(self):
        os.chmod(self.spool, 0o711)

    def start(self, hold):
        self.root.write("etc/smtpd.conf", SMTPD.format(host=self.address[0], port=self.address[1], next_hop=self.next_hop))
        for name in ("var/lib/opensmtpd/empty", "run/opensmtpd", "var/empty"):
            (self.root.root / name).mkdir(parents=True, exist_ok=True)
        self.launch("/usr/sbin/smtpd", "-d", *(("-P", "mta") if hold else ()))

    def flush(self):
        self.root.command("/usr/sbin/smtpctl", "schedule", "all")

    def empty(self):
        said = self.root.command("/usr/sbin/smtpctl", "show", "queue")
        return not said.strip()


PEERS = (Postfix, PostfixMaildirs, Exim, OpenSmtpd)
