"""opensmtpd_peer — Debian's OpenSMTPD in a private root, as another MTA beside posthorn.

Its paths are compiled in, so /var/spool, /var/lib, /run and /usr/libexec are covered by folders of its own, in a mount namespace of its own.
"""
import pwd
import shutil

import deb_tree
from kept_peer import KeptPeer

PROGRAMS = ("usr/sbin/smtpd",)

CONFIG = """
smtp max-message-size "50M"
{pki}
listen on {host} port {port} hostname peer.test {listen_tls}
action "mailbox" maildir "{directory}/mail/%{{dest.user}}" virtual {{ {users} }}
action "relay" relay {smart_host}
match from any for domain "{domain}" action "mailbox"
match from any for any action "relay"
"""


def fetch(peers):
    return deb_tree.fetch(peers, "opensmtpd", "opensmtpd", PROGRAMS)


class OpensmtpdPeer(KeptPeer):
    name = "OpenSMTPD"

    def __init__(self, directory, tree, address, smart_host=None, paused=False, domain="local.test", users=("nobody",), binds=None, tls=None):
        """tls: files (certificate, key); then STARTTLS is offered, and asked of the smart host."""
        super().__init__(directory, tree, address)
        self.smart_host, self.paused, self.domain, self.users = smart_host, paused, domain, users
        self.more_binds, self.tls = binds or {}, tls

    def lay_out(self):
        deb_tree.ensure_accounts(["opensmtpd", "opensmtpq"])
        for name in ("var_spool", "var_lib/opensmtpd/empty", "run", "mail"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        nobody = pwd.getpwnam("nobody")
        shutil.chown(self.directory / "mail", nobody.pw_uid, nobody.pw_gid)
        (self.directory / "var_spool/smtpd").mkdir(mode=0o711, exist_ok=True)
        self.binds = {self.directory / "var_spool": "/var/spool", self.directory / "run": "/run", self.directory / "var_lib": "/var/lib",
                      self.tree / "usr/libexec": "/usr/libexec", **self.more_binds}
        relay = f'host "{"smtp+tls" if self.tls else "smtp"}://{self.smart_host[0]}:{self.smart_host[1]}"' if self.smart_host else ""
        relay += " tls no-verify" if self.tls else ""
        pki = 'pki peer cert "%s"\npki peer key "%s"' % self.tls if self.tls else ""
        users = ", ".join(f'"{user}" = nobody' for user in self.users)
        (self.directory / "conf").write_text(CONFIG.format(host=self.address[0], port=self.address[1], directory=self.directory,
                                                           users=users, smart_host=relay, domain=self.domain, pki=pki,
                                                           listen_tls="tls pki peer" if self.tls else ""))
        (self.directory / "conf").chmod(0o600)

    def command(self):
        pause = ["-P", "mta", "-P", "mda"] if self.paused else []
        return [self.tree / "usr/sbin/smtpd", "-d", "-f", self.directory / "conf", *pause]
