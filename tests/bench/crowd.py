"""crowd — ./dev bench crowd: thousands of clients that do nothing, or as little as they can, and a message that must get through.

    ./dev bench crowd [--plain 10000] [--tls 1000] [--slow 1000] [--seconds 20]

Idle clients have said EHLO; slow ones send a byte of a command every two seconds. Then one client at a time sends a message, 20 a second,
to a local user. Prints the canary's latency, what each client costs in memory (PSS of all processes), and whether descriptors are
left when all have gone. All of it is one process of smtpd for each role.
"""
import argparse
import os
import resource
import select
import socket
import ssl
import threading
import time

import posthorn
import runs
import servers
from certificates import Authority
from place import place, say
from waiting import wait_for

SPARE = 600
DRIP = 2                # seconds between two bytes of a slow client
BARS = {"canary p99": (100, "ms"), "an idle client": (16, "KiB"), "an idle client with TLS": (32, "KiB")}


class Crowd:
    """Sockets that stay; dripping ones send on."""

    def __init__(self, server):
        self.server, self.sockets, self.slow, self.over = server, [], [], threading.Event()
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.thread = threading.Thread(target=self.drip, daemon=True)

    def idle(self):
        self.sockets.append(runs.idle_client(self.server.trusted))

    def secure(self):
        sock = self.context.wrap_socket(socket.create_connection(self.server.submission, 30), server_hostname=posthorn.HOSTNAME)
        sock.recv(500)
        sock.sendall(b"EHLO client.sender.example\r\n")
        sock.recv(2000)
        self.sockets.append(sock)

    def slowloris(self):
        sock = socket.create_connection(self.server.trusted, 30)
        sock.recv(500)
        sock.sendall(b"EHLO ")
        self.slow.append(sock)

    def drip(self):
        while not self.over.wait(DRIP):
            for sock in self.slow:
                sock.sendall(b"x")

    def gone(self):
        """How many were closed by the server."""
        poller = select.poll()
        for sock in self.sockets + self.slow:
            poller.register(sock, select.POLLIN | select.POLLHUP)
        return len(poller.poll(0))

    def end(self):
        self.over.set()
        for sock in self.sockets + self.slow:
            sock.close()


def descriptors(server):
    """Of those who have to do with clients; others open and close files of mail."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for name in ("smtpd", "key") for pid in server.pids(name))


def grow(server, count, one, name):
    """So many more; returns KiB of each."""
    before = server.pss()
    for _ in range(count):
        one()
    time.sleep(1)
    cost = (server.pss() - before) * 1024 / max(1, count)
    say(f"{count:>7,} {name:28} {cost:6.1f} KiB each")
    return cost


def verdict(name, figure):
    most, unit = BARS[name]
    return f"{'met   ' if figure <= most else 'MISSED':8} {name}: {figure:.1f} {unit}, at most {most}"


def measure(server, options):
    crowd = Crowd(server)
    empty = descriptors(server)
    try:
        plain = grow(server, options.plain, crowd.idle, "idle clients")
        secure = grow(server, options.tls, crowd.secure, "idle clients with TLS")
        grow(server, options.slow, crowd.slowloris, "clients that drip")
        crowd.thread.start()
        figures = runs.load(server.port(), options.seconds, f"user%u@{posthorn.DOMAIN}", **{"pace-ms": 50, "per": 20})
        wait_for(lambda: server.delivered() >= figures["messages"], 60, "the canary's mail")
        say(f"canary: {figures['messages']:.0f} messages, p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms; "
            f"{crowd.gone()} of the crowd were sent away meanwhile")
    finally:
        crowd.end()
    wait_for(lambda: descriptors(server) <= empty + 2, 60, lambda: f"{empty} descriptors again ({descriptors(server)})")
    say(f"descriptors: {empty} before, {descriptors(server)} after")
    say("\n".join([verdict("canary p99", figures["p99_ms"]), verdict("an idle client", plain), verdict("an idle client with TLS", secure)]))


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench crowd", description="a crowd of idle and slow clients, and a message that must get through")
    parser.add_argument("--plain", type=int, default=10000, help="idle clients (10000)")
    parser.add_argument("--tls", type=int, default=1000, help="idle clients with TLS (1000)")
    parser.add_argument("--slow", type=int, default=1000, help="clients that send a byte every two seconds (1000)")
    parser.add_argument("--seconds", type=int, default=20, help="how long the canary sends (20)")
    options = parser.parse_args(arguments)
    most = options.plain + options.tls + options.slow + SPARE
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < most:
        say(f"this machine grants {hard} descriptors, {most} are wanted: fewer clients would be right")
        return 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    with place(4) as directory:
        pair = Authority(directory / "authority").issue("crowd", posthorn.HOSTNAME)
        for path in (directory / "authority").iterdir():
            path.chmod(0o644)
        (directory / "run").mkdir()
        settings = {"tls crowd": {"certificate": [str(pair[0])], "key": [str(pair[1])]},
                    "listener submission": {"tls": ["crowd"], "implicit-tls": True},
                    "smtpd": {"workers": 1, "client-sessions": 0, "client-rate": 0, "client-errors": 0, "max-sessions": most, "stress-timeout": 0}}
        with servers.Ours(directory / "run", settings) as server:
            measure(server, options)
    return 0
