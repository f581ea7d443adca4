"""exim_peer — Debian's Exim (exim4-daemon-light) in a private root, as another MTA beside posthorn.

Fetched and unpacked like Postfix (deb_tree.py), with a configuration of its own: mail for `domain` into Maildirs, all other to the
smart host or by MX. It delivers without root (deliver_drop_privilege), which is the faster of its ways.
"""
import os
import pwd

import deb_tree
from kept_peer import KeptPeer

PROGRAMS = ("usr/sbin/exim4",)
USER = "Debian-exim"

CONFIG = """
exim_path = {tree}/usr/sbin/exim4
spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
pid_file_path = {directory}/spool/pid
primary_hostname = peer.test
local_interfaces = {host}
daemon_smtp_ports = {port}
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
host_lookup =
{tls}
rfc1413_query_timeout = 0s
message_size_limit = 52428800
acl_smtp_rcpt = accept
deliver_drop_privilege
queue_only = {paused}
begin routers
mailbox:
  driver = accept
  domains = {domain}
  local_parts = {users}
  transport = maildir
smart_host:
  driver = manualroute
  domains = ! {domain}
  condition = {smart}
  route_list = * {smart_host}
  self = send
  transport = smtp
by_mx:
  driver = dnslookup
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = {smart_port}
  {next_tls}
  allow_localhost
maildir:
  driver = appendfile
  maildir_format
  create_directory
  directory = {directory}/mail/$local_part_data
begin retry
* * F,2h,15m
"""

PLAIN = ("tls_advertise_hosts =", "hosts_avoid_tls = *")
SECURE = ("""tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
log_selector = +pipelining""", "hosts_require_tls = *")


def fetch(peers):
    return deb_tree.fetch(peers, "exim", "exim4-daemon-light", PROGRAMS)


class EximPeer(KeptPeer):
    name = "Exim"

    def __init__(self, directory, tree, address, smart_host=None, paused=False, domain="local.test", users=("nobody",), binds=None, tls=None):
        """tls: files (certificate, key); then STARTTLS is offered, and asked of the smart host."""
        super().__init__(directory, tree, address)
        self.smart_host, self.paused, self.domain, self.users = smart_host, paused, domain, users
        self.binds, self.tls = binds or {}, tls

    def lay_out(self):
        deb_tree.ensure_accounts([USER])
        owner = pwd.getpwnam(USER)
        for name in ("spool", "mail", "log"):
            (self.directory / name).mkdir(exist_ok=True)
            os.chown(self.directory / name, owner.pw_uid, owner.pw_gid)
        for file in self.tls or ():
            os.chown(file, owner.pw_uid, owner.pw_gid)
        host, port = self.smart_host or ("127.0.0.1", 25)
        tls, next_tls = SECURE if self.tls else PLAIN
        certificate, key = self.tls or ("", "")
        text = CONFIG.format(tree=self.tree, directory=self.directory, host=self.address[0], port=self.address[1], domain=self.domain,
                             users=" : ".join(self.users), paused=str(self.paused).lower(), smart=str(bool(self.smart_host)).lower(), smart_host=host, smart_port=port,
                             tls=tls.format(certificate=certificate, key=key), next_tls=next_tls)
        (self.directory / "conf").write_text(text)

    def command(self):
        return [self.tree / "usr/sbin/exim4", "-C", self.directory / "conf", "-bdf", "-q5m"]
