#!/usr/bin/python3
"""run — plays SMTP dialogues (*.smtp) against a private posthorn and prints TAP.

A dialogue is a text file. The first letters of a line say what it is:

    # words         a comment; the first one names the test
    @ listener mx | trusted | submission      where to connect (mx when not said)
    @ stranger      connect from an address outside trusted-networks
    @ set smtpd max-errors = 3                a setting of this dialogue (it gets a posthorn of its own)
    C: text         a line of the client; CRLF is added
    C= text         bytes of the client as they are: \\r \\n \\t \\0 \\\\ \\xHH are read, nothing is added
    C* 1000 text    the text so many times, without CRLF
    S: 250 2.1.0    the next reply has this code, and its first line begins with this text
    S+ SIZE         the same reply also has a line that begins with this text
    S! CHUNKING     and no line that does
    S. text         the raw last line of the reply contains this text
    X:              the server closes the connection
    N:              a new connection to the same listener (the old one is closed; the greeting is left to S:)

The greeting is a reply as any other and stands as S: 220. Client lines that follow each other leave in one write, so
pipelining is written as it is. A dialogue must say what happens to every reply: one that is left over at the end fails.
"""
import argparse
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from client import Client, Closed
from fake_dns import FakeDns
from posthorn import Posthorn, merged

SEQUENCE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")
NAMED = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
TRUSTED = "127.0.0.1/32"
STRANGER = "127.0.0.99"


class Mismatch(Exception):
    pass


def unescape(text):
    def one(match):
        word = match.group(1)
        if word[0] == "x" and len(word) == 3:
            return chr(int(word[1:], 16))
        if word not in NAMED:
            raise Mismatch(f"unknown escape \\{word}")
        return NAMED[word]

    return SEQUENCE.sub(one, text).encode("latin-1")


class Dialogue:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.listener = "mx"
        self.source = None
        self.settings = {}
        self.steps = []             # (line number, kind, text)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            self._take(number, line)

    def _take(self, number, line):
        if not line.strip() or line.startswith("#"):
            return
        kind, text = line[:2], line[2:].removeprefix(" ")
        if kind == "@ ":
            self._option(number, text.split(None, 1))
        elif kind in ("C:", "C=", "C*", "S:", "S+", "S!", "S.", "X:", "N:"):
            self.steps.append((number, kind, text))
        else:
            raise Mismatch(f"{self.path.name}:{number}: what is {line!r}?")

    def _option(self, number, words):
        if words[0] == "listener":
            self.listener = words[1].strip()
        elif words[0] == "stranger":
            self.source = STRANGER
        elif words[0] == "set":
            name, _, value = words[1].partition("=")
            keys = name.split()
            setting = {keys[-1]: value.strip().strip('"')}
            for key in reversed(keys[:-1]):
                setting = {key: setting}
            self.settings = merged(self.settings, setting)
        else:
            raise Mismatch(f"{self.path.name}:{number}: unknown option {words[0]}")

    def play(self, mta):
        player = Player(self, getattr(mta, self.listener))
        for number, kind, text in self.steps:
            try:
                player.step(kind, text)
            except (Mismatch, Closed, OSError, AssertionError) as error:
                raise Mismatch(f"{self.path.name}:{number}: {kind} {text}\n{type(error).__name__}: {error}") from error
        player.finish()


class Player:
    def __init__(self, dialogue, address):
        self.dialogue, self.address = dialogue, address
        self.pending = b""
        self.reply = None
        self.connect()

    def connect(self):
        self.client = Client(self.address, timeout=20, source=self.dialogue.source, greet=False)

    def flush(self):
        if self.pending:
            self.client.send(self.pending)
            self.pending = b""

    def step(self, kind, text):
        if kind == "C:":
            self.pending += text.encode() + b"\r\n"
        elif kind == "C=":
            self.pending += unescape(text)
        elif kind == "C*":
            count, _, what = text.partition(" ")
            self.pending += unescape(what) * int(count)
        else:
            self.flush()
            {"S:": self.expect, "S+": self.also, "S!": self.not_also, "S.": self.contains, "X:": self.end, "N:": self.anew}[kind](text)

    def expect(self, text):
        self.reply = self.client.reply()
        code, _, begin = text.partition(" ")
        if str(self.reply.code) != code or not self.reply.lines[0].startswith(begin):
            raise Mismatch(f"got {self.reply}")

    def also(self, text):
        if not any(line.startswith(text) for line in self.reply.lines):
            raise Mismatch(f"no such line in {self.reply}")

    def not_also(self, text):
        if any(line.startswith(text) for line in self.reply.lines):
            raise Mismatch(f"there it is: {self.reply}")

    def contains(self, text):
        if text not in self.reply.text:
            raise Mismatch(f"got {self.reply}")

    def end(self, _):
        if self.client.kept:
            raise Mismatch(f"more was said: {self.client.kept!r}")
        self.client.sock.settimeout(20)
        try:
            said = self.client.sock.recv(65536)
        except ConnectionError:
            said = b""
        if said:
            raise Mismatch(f"more was said: {said!r}")

    def anew(self, _):
        self.client.close()
        self.connect()

    def finish(self):
        """What the client still has to say is said, and nothing unexpected may have come."""
        self.flush()
        if self.client.kept:
            raise Mismatch(f"{self.dialogue.path.name}: left over: {self.client.kept!r}")
        self.client.close()


def new_posthorn(directory, dns, settings):
    base = {"trusted-networks": [TRUSTED]}
    return Posthorn(directory, merged(base, settings), users=["alice", "bob"], dns=dns, mx_port=9)


def play_all(dialogues, out):
    """One posthorn for all dialogues without settings of their own; one more for each that has some."""
    bad = 0
    dns = FakeDns({"far.test": {"MX": [(10, "mx.far.test")]}, "mx.far.test": {"A": ["127.0.0.1"]}})
    with tempfile.TemporaryDirectory(prefix="ph-script-") as scratch:
        shared = new_posthorn(pathlib.Path(scratch, "shared"), dns, {})
        with shared:
            for number, dialogue in enumerate(dialogues, 1):
                bad += not play_one(number, dialogue, shared, dns, scratch, out)
    dns.close()
    return bad


def play_one(number, dialogue, shared, dns, scratch, out):
    try:
        if dialogue.settings:
            with new_posthorn(pathlib.Path(scratch, dialogue.name), dns, dialogue.settings) as own:
                dialogue.play(own)
        else:
            dialogue.play(shared)
    except (Mismatch, AssertionError, OSError, Closed) as error:
        print(f"not ok {number} - {dialogue.name}", file=out)
        for line in str(error).splitlines()[:30]:
            print("# " + line, file=out)
        return False
    print(f"ok {number} - {dialogue.name}", file=out, flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description="plays SMTP dialogues against a private posthorn")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    files = parser.parse_args().files or sorted(HERE.glob("**/*.smtp"))
    dialogues = [Dialogue(path) for path in files]
    if not dialogues:
        print("1..0 # no dialogue found")
        return 1
    print(f"1..{len(dialogues)}", flush=True)
    return 1 if play_all(dialogues, sys.stdout) else 0


if __name__ == "__main__":
    sys.exit(main())
