"""fake_dns — a DNS server on loopback, UDP and TCP, that says what a dictionary says.

    FakeDns({"far.test": {"MX": [(10, "mx.far.test")]}, "mx.far.test": {"A": ["127.0.0.1"]},
             "broken.test": {"rcode": "SERVFAIL"}, "silent.test": {"rcode": "TIMEOUT"}, "none.test": {"MX": [(0, ".")]}})

A name that is not there is NXDOMAIN, unless names below it are. A type that is not there is NODATA. `seen` lists the
questions as (name, type) in order. Zones may be changed at any time; the next answer knows.
"""
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from ports import free_port


class FakeDns:
    def __init__(self, zones=None, host="127.0.0.1", port=0):
        self.zones = dict(zones or {})
        self.seen = []
        self.host = host
        self.ttl = 5
        self._bind(port)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in (self._udp_loop, self._tcp_loop)]
        for thread in self._threads:
            thread.start()

    def _bind(self, port):
        for _ in range(20):
            self.port = port or free_port(self.host)
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._udp.bind((self.host, self.port))
                self._tcp.bind((self.host, self.port))
            except OSError:
                self._udp.close()
                self._tcp.close()
                continue
            self._tcp.listen(64)
            self._udp.settimeout(0.2)
            self._tcp.settimeout(0.2)
            return
        raise RuntimeError("no port for the test DNS")

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def _udp_loop(self):
        while not self._stop.is_set():
            try:
                query, peer = self._udp.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            answer = self.answer(query, 1232)
            if answer:
                self._udp.sendto(answer, peer)

    def _tcp_loop(self):
        while not self._stop.is_set():
            try:
                conn, _ = self._tcp.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._tcp_one, args=(conn,), daemon=True).start()

    def _tcp_one(self, conn):
        with conn:
            conn.settimeout(10)
            try:
                with conn.makefile("rb") as stream:
                    while head := stream.read(2):
                        answer = self.answer(stream.read(struct.unpack("!H", head)[0]), 65535)
                        if answer is None:
                            return
                        conn.sendall(struct.pack("!H", len(answer)) + answer)
            except OSError:
                return

    def answer(self, wire, most):
        """The bytes of the answer, or None when the zone says that this name gets no answer at all."""
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.seen.append((name, dns.rdatatype.to_text(question.rdtype)))
        if not self._fill(reply, question.name, name, question.rdtype):
            return None
        out = reply.to_wire(max_size=65535)
        if len(out) > most:
            reply.answer = []
            reply.flags |= dns.flags.TC
            out = reply.to_wire()
        return out

    def _fill(self, reply, owner, name, rdtype):
        for _ in range(9):
            zone = self.zones.get(name)
            if zone is None:
                if not any(known.endswith("." + name) for known in self.zones):
                    reply.set_rcode(dns.rcode.NXDOMAIN)
                return True
            rcode = zone.get("rcode")
            if rcode == "TIMEOUT":
                return False
            if rcode:
                reply.set_rcode(dns.rcode.from_text(rcode))
                return True
            if "CNAME" in zone:
                reply.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", "CNAME", zone["CNAME"] + "."))
                owner = dns.name.from_text(zone["CNAME"] + ".")
                name = zone["CNAME"].lower()
                continue
            self._records(reply, owner, zone, rdtype)
            return True
        return True

    def _records(self, reply, owner, zone, rdtype):
        kind = dns.rdatatype.to_text(rdtype)
        texts = []
        for value in zone.get(kind, ()):
            if kind == "MX":
                value = f"{value[0]} {value[1].rstrip('.')}."
            elif kind == "TXT":
                value = '"' + value + '"'
            texts.append(value)
        if texts:
            reply.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", kind, *texts))

    def close(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
        self._udp.close()
        self._tcp.close()
