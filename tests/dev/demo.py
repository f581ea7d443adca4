#!/usr/bin/python3
"""demo — what `./dev run` shows: five messages and where they end up, with a real client and a second MTA.

Runs as an ordinary user. Postfix, when it could be started, is already there: its address and its log come as options.
"""
import argparse
import email
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from certificates import Authority
from fake_dns import FakeDns
from posthorn import Posthorn
from waiting import wait_for

DOMAIN = "demo.test"
USER = "demo@" + DOMAIN
MX = ("127.0.0.1", 2525)
SUBMISSION = ("127.0.0.1", 2587)
PASSWORD = "pencil"
DEAD = "127.0.0.3"              # nothing listens there


def zones(peer_host):
    return {
        DOMAIN: {"MX": [(10, "mx." + DOMAIN)]},
        "mx." + DOMAIN: {"A": ["127.0.0.1"]},
        "far.test": {"MX": [(10, "mx.far.test")]},
        "mx.far.test": {"A": [peer_host]},
        "dead.test": {"MX": [(10, "mx.dead.test")]},
        "mx.dead.test": {"A": [DEAD]},
    }


class DemoPosthorn(Posthorn):
    """The usual private posthorn, on the ports that people are told about."""

    def choose_ports(self):
        self.ports = [MX[1], 0, SUBMISSION[1]]
        self.mx, self.trusted, self.submission = MX, MX, SUBMISSION


def settings():
    return {
        "hostname": "mx." + DOMAIN,
        "postmaster": USER,
        "listener trusted": None,
        "domain local.test": None,
        f"domain {DOMAIN}": None,
        "queue": {"retry": ["5m", "10m", "20m"]},
    }


class Demo:
    def __init__(self, directory, peer_port, peer_log):
        self.directory = directory
        self.peer_log = peer_log
        self.failed = []
        self.number = 0
        over = settings()
        over.update(self.open_submission())
        over[f"domain {DOMAIN}"] = {"users": f"file:{directory}/users", "maildir": f"{directory}/mail/%u"}
        self.dns = FakeDns(zones("127.0.0.2"))
        self.mta = DemoPosthorn(directory, over, users=["demo"], dns=self.dns, mx_port=peer_port)

    def open_submission(self):
        """Port 587 as posthorn.conf(5) shows it: a certificate, a file of logins."""
        certificate, key = Authority(self.directory / "authority").issue("mx", "mx." + DOMAIN)
        done = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True, timeout=30)
        (self.directory / "logins").write_text(f"{USER}:{done.stdout}")
        return {"tls public": {"certificate": [str(certificate)], "key": [str(key)]},
                "listener mx": {"tls": ["public"]}, "listener submission": {"tls": ["public"]},
                "submission": {"users": f"file:{self.directory}/logins"}}

    def swaks(self, recipient, subject, server=MX, more=()):
        """One message by a stock client; returns its Message-ID."""
        self.number += 1
        message_id = f"demo-{self.number}@client.test"
        words = ["swaks", "--server", f"{server[0]}:{server[1]}", *more, "--from", USER, "--to", recipient, "--helo", "client.test", "--hide-all",
                 "--header", "Subject: " + subject, "--header", f"Message-Id: <{message_id}>", "--body", "It works.\n"]
        print(" ".join(["   swaks --server", f"{server[0]}:{server[1]}", *more, "--from", USER, "--to", recipient]), flush=True)
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"swaks: {done.returncode}: {done.stdout}{done.stderr}"
        return message_id

    def step(self, title, show):
        print(f"\n== {title}", flush=True)
        try:
            show()
            print("   seen", flush=True)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self.failed.append(title)
            print(f"!! not seen: {error}", flush=True)

    def local(self):
        message_id = self.swaks(USER, "a message for a mailbox")
        found = self.wait_mail(lambda mail: mail["Message-Id"] == f"<{message_id}>")
        path, mail = found
        print(f"   {path}")
        for name in ("Return-Path", "Delivered-To", "Received", "Subject"):
            print(f"      {name}: {' '.join(str(mail[name]).split())}")

    def login(self):
        """Who logs in may write to anybody; who does not may not."""
        refused = subprocess.run(["swaks", "--server", f"{SUBMISSION[0]}:{SUBMISSION[1]}", "--tls", "--from", USER, "--to", USER, "--silent", "3"],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode != 0, "a client without a login was served"
        message_id = self.swaks(USER, "a message from a user", SUBMISSION,
                                ("--tls", "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD))
        _, mail = self.wait_mail(lambda mail: mail["Message-Id"] == f"<{message_id}>")
        assert "with ESMTPSA" in mail["Received"], mail["Received"]
        print(f"      Received: {' '.join(mail['Received'].split())}")
        print(f"   {self.mta.wait_log(r'.*sasl_method=PLAIN.*', 10)[-1].group(0)}")

    def remote(self):
        assert self.peer_log, "no second MTA: it needs root or sudo to start"
        message_id = self.swaks("someone@far.test", "a message for another host")
        ours = self.mta.wait_log(r": (\w+): to=<someone@far\.test>.* status=sent \((.*)\)", 30)[-1]
        queued = re.search(r"queued as (\w+)", ours.group(2))
        assert queued, f"the other MTA's answer names no queue id: {ours.group(0)}"
        theirs = wait_for(lambda: re.search(rf"cleanup\[\d+\]: {queued.group(1)}: message-id=<{re.escape(message_id)}>", self.peer_words()),
                          20, f"message-id {message_id} under {queued.group(1)} in Postfix's log")
        print(f"   posthorn: {ours.group(0)[2:]}")
        print(f"   Postfix:  {theirs.group(0)}")

    def peer_words(self):
        return pathlib.Path(self.peer_log).read_text(errors="replace")

    def bounce(self):
        assert self.peer_log, "no second MTA: it needs root or sudo to start"
        self.swaks("nobody@far.test", "a message for nobody")

        def is_ours(mail):
            return mail.get_content_type() == "multipart/report" and "nobody@far.test" in mail.as_string()

        path, mail = self.wait_mail(is_ours)
        print(f"   {path}")
        for part in mail.walk():
            if part.get_content_type() == "message/delivery-status":
                for line in part.as_string().splitlines():
                    if re.match(r"(Reporting-MTA|Final-Recipient|Action|Status|Diagnostic-Code):", line):
                        print("      " + line)

    def waiting(self):
        self.swaks("anybody@dead.test", "a message for a dead host")

        def entry():
            for message in self.mta.queue():
                for recipient in message["recipients"]:
                    if recipient["address"] == "anybody@dead.test" and recipient["next_attempt"] > time.time() and recipient.get("delay_reason"):
                        return recipient
            return None

        recipient = wait_for(entry, 30, lambda: "the message in mailq with its next attempt: " + self.mta.mailq())
        print("".join(f"   {line}\n" for line in self.mta.mailq().splitlines()), end="")
        print(time.strftime("   next attempt: %Y-%m-%d %H:%M:%S", time.localtime(recipient["next_attempt"])))

    def wait_mail(self, wanted):
        """Until the demo user has a message that is the wanted one: (path, parsed message)."""
        def look():
            for path in sorted((self.mta.maildir("demo") / "new").glob("*")):
                mail = email.message_from_bytes(path.read_bytes())
                if wanted(mail):
                    return path, mail
            return None

        return wait_for(look, 30, "the message in the Maildir: " + str(self.mta.maildir("demo")))

    def run(self):
        print(f"== posthorn on {MX[0]}:{MX[1]} and {SUBMISSION[0]}:{SUBMISSION[1]}, files in {self.directory}", flush=True)
        self.mta.start()
        self.step("a message for a mailbox here arrives in its Maildir", self.local)
        self.step("a user logs in over TLS and submits a message", self.login)
        self.step("a message for another domain travels by MX to Postfix", self.remote)
        self.step("a message for an unknown remote user comes back as a notification", self.bounce)
        self.step("a message for a dead host waits in mailq", self.waiting)
        return not self.failed

    def stay(self):
        print(f"""
posthorn runs until Ctrl-C. Try it:
   swaks --server {MX[0]}:{MX[1]} --from {USER} --to {USER}
   swaks --server {MX[0]}:{MX[1]} --from {USER} --to someone@far.test
   swaks --server {SUBMISSION[0]}:{SUBMISSION[1]} --tls --auth PLAIN --auth-user {USER} --auth-password {PASSWORD} --to someone@far.test
   {self.mta.tool('mailq')} -c {self.mta.conf}
   {self.mta.tool('posthorn')} -c {self.mta.conf} status
   tail -f {self.mta.log}
Mail of {USER}: {self.mta.maildir('demo')}/new""", flush=True)
        signal.pause()

    def close(self):
        self.mta.__exit__(None)
        self.dns.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--peer-port", type=int, default=2526)
    parser.add_argument("--peer-log", default="")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="posthorn-demo-") as directory:
        demo = Demo(pathlib.Path(directory), options.peer_port, options.peer_log)
        seen = False
        try:
            seen = demo.run()
            if not options.once:
                demo.stay()
        except KeyboardInterrupt:
            print("\n== stopping", flush=True)
        finally:
            demo.close()
    print("\n== all five were seen" if seen else f"\n!! not seen: {'; '.join(demo.failed)}")
    return 0 if seen else 1


if __name__ == "__main__":
    sys.exit(main())
