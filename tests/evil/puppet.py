"""puppet — processes of a posthorn that do what the test says, from inside their sandboxes (common/proc/evil.h).

    with Strings({"smtpd-mx-0": ["submit-queue"]}) as strings, Posthorn(path, environment=strings.environment) as mta:
        mx = strings["smtpd-mx-0"]              # waits until it serves; a new one after it was replaced
        assert mx("read /etc/passwd") == "refused ENOENT"
        wire = frames.Submit(mx.wire("submit-queue"))

The names in the dictionary become puppets; of the wires in their lists the program itself learns nothing.
"""
import array
import os
import pathlib
import selectors
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from posthorn import PATIENCE, build_directory
from waiting import wait_for


GROWN = 1.2         # seconds; one that dies younger waits for its successor, each time longer


class Gone(Exception):
    """The process has ended."""


class Puppet:
    def __init__(self, name, sock):
        self.name, self.sock = name, sock
        self.sock.settimeout(15 * PATIENCE)
        self.pid, self.uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        self.serves, self.since = False, time.monotonic()

    def hear(self):
        try:
            data, found, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(4))
        except ConnectionError as error:
            raise Gone from error
        if not data:
            raise Gone
        fds = [array.array("i", value)[0] for _, kind, value in found if kind == socket.SCM_RIGHTS]
        return data.decode(), fds

    def __call__(self, *order):
        """One order, its answer. Gone when that ended the process."""
        try:
            self.sock.send(" ".join(map(str, order)).encode())
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Gone from error
        return self.hear()[0]

    def say(self, wire, data):
        return self("say", wire, data.hex())

    def wire(self, name, seconds=15):
        """A wire of its own, as a socket; waits until it has one."""
        def given():
            self.sock.send(f"give {name}".encode())
            words, fds = self.hear()
            assert words in ("here", "none"), words
            return fds

        return socket.socket(fileno=wait_for(given, seconds * PATIENCE, f"a wire {name}: " + self("names"))[0])

    def names(self):
        return self("names").split()[1:]

    def go_on(self):
        """A worker waits for its mail until it hears this."""
        self.sock.send(b"go on")


class Strings:
    def __init__(self, puppets):
        self.keeps = dict(puppets)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ph-evil."))
        self.folder.chmod(0o755)
        self.environment = {"POSTHORN_EVIL": str(self.folder)}
        self.found = {name: [] for name in self.keeps}
        self.selector = selectors.DefaultSelector()
        self.wake, self.woken = socket.socketpair()
        self.selector.register(self.woken, selectors.EVENT_READ, None)
        for name in self.keeps:
            self.listen(name)
        self.thread = threading.Thread(target=self.take, daemon=True)
        self.thread.start()

    def listen(self, name):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(self.folder / name))
        (self.folder / name).chmod(0o777)
        listener.listen(64)
        self.selector.register(listener, selectors.EVENT_READ, name)

    def take(self):
        """A process that connects waits to hear which wires to keep."""
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                sock, _ = key.fileobj.accept()
                sock.send((" ".join(self.keeps[key.data]) or " ").encode())
                self.found[key.data].append(Puppet(key.data, sock))

    def newest(self, name):
        """The living one of that name that serves, or None."""
        puppet = self.found[name][-1] if self.found[name] else None
        if puppet and not puppet.serves:
            try:
                puppet.serves = puppet.hear()[0] == "serving"
            except Gone:
                return None
        return puppet

    def __getitem__(self, name):
        return wait_for(lambda: self.newest(name), 20 * PATIENCE, f"a puppet {name}")

    def grown(self, name):
        """One that has lived long enough to be replaced at once when it dies."""
        wait_for(lambda: time.monotonic() - self[name].since > GROWN, 10, f"a grown {name}")
        return self[name]

    def after(self, old, name, seconds=20):
        """The one that took its place."""
        def other():
            puppet = self.newest(name)
            return puppet if puppet and puppet.pid != old.pid else None

        return wait_for(other, seconds * PATIENCE, f"another {name}")

    def free(self, **options):
        """A puppet that is in no sandbox: what the others are refused has to work there."""
        self.keeps["free"] = []
        self.found.setdefault("free", [])
        if not (self.folder / "free").exists():
            self.listen("free")
        before = len(self.found["free"])
        process = subprocess.Popen([build_directory() / "tests/evil/free"], env=dict(os.environ, **self.environment), **options)
        wait_for(lambda: len(self.found["free"]) > before, 15, "the one that is free")
        puppet = self["free"]
        assert puppet.pid == process.pid
        puppet.process = process
        return puppet

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wake.send(b".")
        self.thread.join()
        for puppet in sum(self.found.values(), []):
            puppet.sock.close()
            if hasattr(puppet, "process"):
                puppet.process.wait(10)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        shutil.rmtree(self.folder, ignore_errors=True)
