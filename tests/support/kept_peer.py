"""kept_peer — what the other MTAs beside Postfix have in common: a folder, a keeper, a greeting.

A subclass says in command() how it is started and in lay_out() what it needs on disk before. `binds` are mounted in a namespace of
its own; nothing of the machine is changed. keeper.py keeps hold of all its processes.
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import deb_tree
import keeper


class KeptPeer:
    name = "peer"

    def __init__(self, directory, tree, address):
        self.directory = pathlib.Path(directory).resolve()
        self.tree = pathlib.Path(tree)
        self.address = address
        self.binds = {}
        self.process = None

    def lay_out(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def log_text(self):
        return "\n".join(path.read_text(errors="replace")[-1500:] for path in (self.directory / "log").glob("*") if path.is_file())

    def start(self, seconds=30):
        (self.directory / "log").mkdir(parents=True, exist_ok=True)
        self.lay_out()
        argv = deb_tree.private_mounts(self.binds, [sys.executable, keeper.__file__, *self.command()])
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "LD_LIBRARY_PATH": deb_tree.library_path(self.tree)}
        with open(self.directory / "log/stderr", "ab") as errors:
            self.process = subprocess.Popen(argv, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=errors,
                                            stderr=errors, start_new_session=True)
        end = time.monotonic() + seconds
        while not self.greets():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise deb_tree.Unavailable(f"{self.name} does not answer: {self.log_text()}")
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

    def pids(self):
        """The server's processes, without the keeper."""
        return keeper.descendants(self.process.pid)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
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

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
