"""servers — posthorn and the others as a benchmark sees them: one scene, and the same questions to each.

    scene = Scene(paused=True)
    with kind.make(directory, scene) as server:
        server.port(); server.cpu(); server.pss(); server.queued(); server.delivered()

A scene is told in the words of no server; each class below translates it into its own configuration. Otherwise a server runs with
its defaults, Postfix with room for 200 processes of a kind and Exim for 200 sessions, which a hundred clients need.
"""
import contextlib
import dataclasses
import os
import pathlib
import pwd
import re
import subprocess

import exim_peer
import opensmtpd_peer
import posthorn
import postfix_peer
from deb_tree import Unavailable
from place import ordinary_user, stage_binaries
from ports import free_port

USERS = 50
SEGMENTS = 64
NAMES = [f"user{i}" for i in range(USERS)]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Scene:
    paused: bool = False                # deliveries wait: what comes in stays
    smart_host: tuple = None            # (host, port); None: by MX, to port 25
    resolv_conf: pathlib.Path = None    # names a DNS that answers at once; the machine's may not
    segment_mib: int = 16
    sessions: int = 200                 # clients at once
    tls: tuple = None                   # (certificate, key): STARTTLS is offered
    receivers: int = 1                  # posthorn's processes for clients; its default is 2


def cpu_ticks(pids):
    """User and system time, that of ended and waited-for children included."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
            total += sum(int(word) for word in text[text.rindex(")") + 2:].split()[11:15])
    return total


def pss_kib(pids):
    """Memory in use, what several share counted once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
            total += int(found.group(1)) if found else 0
    return total


def files_below(*folders):
    return sum(len(files) for folder in folders for _, _, files in os.walk(folder))


class Measured:
    """What all servers answer alike. all_pids() is whoever works for it or has reaped those who did."""

    def port(self):
        return self.address[1]

    def all_pids(self):
        return self.pids()

    def cpu(self):
        return cpu_ticks(self.all_pids())

    def pss(self):
        return pss_kib(self.all_pids()) / 1024

    def delivered(self):
        return sum(len(os.listdir(new)) for new in self.directory.glob("mail/*/new"))

    def explain(self):
        """What is worth reading when a run of it failed."""
        return self.log_text()[-1500:]


class Ours(Measured, posthorn.Posthorn):
    """posthorn as an ordinary user, from binaries that user can read."""
    name = "posthorn"
    peers = None

    @classmethod
    def fetch(cls, peers):
        del peers

    @classmethod
    def make(cls, directory, scene):
        settings = {"queue": {"ring-segments": SEGMENTS, "segment-size": f"{scene.segment_mib}MiB", "retry": ["5m"]},
                    "smtpd": {"workers": scene.receivers, "client-sessions": 0, "client-rate": 0}}
        if scene.tls:
            settings["tls bench"] = {"certificate": [str(scene.tls[0])], "key": [str(scene.tls[1])]}
            settings["listener trusted"] = {"tls": ["bench"]}
        if scene.smart_host:
            settings["relay"] = {"smart-host": "[{}]:{}".format(*scene.smart_host)}
        if scene.resolv_conf:
            settings["dns"] = {"servers": [scene.resolv_conf.read_text().split()[1]]}
        return cls(directory, settings, ["--paused"] if scene.paused else [])

    def __init__(self, directory, settings, arguments=()):
        self.runs_as = ordinary_user()
        directory.chmod(0o755)
        self.stage = stage_binaries(directory.parent) if not (directory.parent / "bin").exists() else directory.parent / "bin"
        super().__init__(directory, settings, users=NAMES, arguments=arguments)

    def write_users(self, users=None):
        me, lines = self.runs_as, []
        for user in users or self.users:
            home = self.directory / "home" / user
            home.mkdir(exist_ok=True)
            lines.append(f"{user}:x:{me.pw_uid}:{me.pw_gid}:{user}:{home}:/usr/sbin/nologin\n")
        (self.directory / "users").write_text("".join(lines))

    def configure(self, over=None):
        super().configure(over)
        for path in [self.directory, self.run, *self.directory.rglob("*")]:
            os.chown(path, self.runs_as.pw_uid, self.runs_as.pw_gid)

    def spawn(self):
        as_user = {"user": self.runs_as.pw_uid, "group": self.runs_as.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                [self.stage / "control/supervisor/posthornd", "-f", "-c", self.conf, *self.arguments], stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors, env=dict(os.environ, POSTHORN_LIBEXEC=str(self.stage)), start_new_session=True, **as_user)

    def __enter__(self):
        return self.start(seconds=600)      # the ring is filled with zeros first

    def port(self):
        return self.trusted[1]

    def all_pids(self):
        return [self.process.pid] + [pid for pid, _, _ in self.children()]

    def explain(self):
        unusual = [line for line in self.log_lines() if not re.search(r"status=sent|removed|from=<|connect", line)]
        return "\n".join([self.mailq()[:1500], self.posthorn("status"), *unusual[-20:]])

    def queued(self):
        last = self.command("mailq", check=True, seconds=600).stdout.strip().splitlines()[-1]
        found = re.search(r"in (\d+) Request", last)
        return int(found.group(1)) if found else 0


class Postfix(Measured, postfix_peer.PostfixPeer):
    name = "Postfix"

    @staticmethod
    def fetch(peers):
        return postfix_peer.fetch(peers)

    @classmethod
    def make(cls, directory, scene, tree):
        settings = {"default_process_limit": scene.sessions, "message_size_limit": 50 << 20, "mailbox_size_limit": 0,
                    "virtual_mailbox_limit": 0, **cls.mailboxes(directory)}
        if scene.tls:
            settings.update(smtpd_tls_security_level="may", smtpd_tls_cert_file=scene.tls[0], smtpd_tls_key_file=scene.tls[1])
        if scene.paused:
            settings["defer_transports"] = "smtp"
        if scene.smart_host:
            settings["relayhost"] = "[{}]:{}".format(*scene.smart_host)
        binds = {}
        if scene.resolv_conf:
            settings["smtp_dns_support_level"] = "disabled" if scene.smart_host else "enabled"
            binds = {scene.resolv_conf: "/etc/resolv.conf"}
        return cls(directory, tree, ("127.0.0.1", free_port()), settings, binds=binds)

    @staticmethod
    def mailboxes(directory):
        nobody = pwd.getpwnam("nobody")
        rows = ", ".join(f"{{{user}@{posthorn.DOMAIN} = {user}/}}" for user in NAMES)
        return {"virtual_mailbox_domains": posthorn.DOMAIN, "virtual_mailbox_base": directory / "mail",
                "virtual_mailbox_maps": "inline:{ " + rows + " }", "virtual_uid_maps": f"static:{nobody.pw_uid}",
                "virtual_gid_maps": f"static:{nobody.pw_gid}"}

    def queued(self):
        return files_below(*[self.queue / name for name in ("incoming", "active", "deferred")])


class Kept(Measured):
    """Exim and OpenSMTPD: the keeper knows their processes and has the times of those that ended."""

    @classmethod
    def make(cls, directory, scene, tree):
        binds = {scene.resolv_conf: "/etc/resolv.conf"} if scene.resolv_conf else {}
        return cls(directory, tree, ("127.0.0.1", free_port()), scene.smart_host, scene.paused, posthorn.DOMAIN, NAMES, binds)

    def cpu(self):
        return cpu_ticks([self.process.pid] + self.pids())


class Exim(Kept, exim_peer.EximPeer):
    fetch = staticmethod(exim_peer.fetch)

    def queued(self):
        return sum(1 for _, _, files in os.walk(self.directory / "spool/input") for name in files if name.endswith("-H"))


class Opensmtpd(Kept, opensmtpd_peer.OpensmtpdPeer):
    fetch = staticmethod(opensmtpd_peer.fetch)

    def queued(self):
        return sum(1 for _, _, files in os.walk(self.directory / "var_spool/smtpd/queue") for name in files if name == "message")


class Kind:
    """A server that can be made anew for every run: its class and where it is unpacked."""

    def __init__(self, cls, tree=None):
        self.cls, self.tree, self.name = cls, tree, cls.name

    def make(self, directory, scene):
        return self.cls.make(directory, scene, self.tree) if self.tree else self.cls.make(directory, scene)


def available(peers, wanted, say):
    """posthorn, and those of the wanted others that can run here; whoever cannot is left out with the reason."""
    kinds = [Kind(Ours)]
    for cls in (Postfix, Exim, Opensmtpd):
        if cls.name.lower() not in wanted:
            continue
        try:
            if os.getuid() != 0:
                raise Unavailable("it starts only as root")
            kinds.append(Kind(cls, cls.fetch(peers)))
        except (Unavailable, OSError, subprocess.CalledProcessError) as error:
            say(f"without {cls.name}: {error}")
    return kinds
