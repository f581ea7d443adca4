"""frames — the wires of docs/WIRES.md as a stranger would write them: by that page and the headers, without a line of common/wire/.

A Wire is a socket that a process gave away; its other end is an honest process.
"""
import array
import socket
import struct

FRAME_MAX = 320 * 1024
VERSIONS = {"submit": 4, "lookup": 2, "key": 1, "auth": 1, "deliver": 4, "spawn": 1, "handoff": 1, "control": 4, "mailbox": 1}

SUBMIT = {"IDS": 1, "ROOM": 2, "VERDICT": 3, "LARGE_FILE": 4, "MESSAGE": 5, "LARGE_OPEN": 6, "LARGE_DROP": 7, "WANT_IDS": 8}
LOOKUP = {"ROUTE": 1, "ROUTES": 2, "MAILBOX": 3, "MAILBOX_OF": 4, "GENERATION": 5}
KEY = {"SIGN": 1, "SIGNATURE": 2}
AUTH = {"BEGIN": 1, "CONTINUE": 2, "CANCEL": 3, "MECHANISMS": 4, "CHALLENGE": 5, "OK": 6, "FAILED": 7, "LATER": 8, "LOGIN": 9, "LOGOUT": 10,
        "TOLD": 11, "KNOWN": 12, "RESUME": 13, "CLAIM": 14}
DELIVER = {"HELLO": 1, "RESULTS": 2, "JOB": 3, "COMMITTED": 4, "CANCEL": 5}
SPAWN = {"START": 1, "STOP": 2, "STARTED": 3, "REFUSED": 4, "ENDED": 5}
MAILBOX = {"OPEN": 1, "DELIVER": 2, "CONTENT": 3, "ABANDON": 4, "SYNCED": 5, "OPENED": 6, "WRITTEN": 7, "RENAMED": 8, "STORED": 9, "REFUSED": 10}
TYPES = {"submit": SUBMIT, "lookup": LOOKUP, "key": KEY, "auth": AUTH, "deliver": DELIVER, "spawn": SPAWN, "mailbox": MAILBOX,
         "handoff": {"CONNECTION": 1}}

DURABLE, TRY_LATER, NO_SPACE, REFUSED = 1, 2, 3, 4
LOCAL, REMOTE, UNKNOWN, INVALID, LATER = 1, 2, 3, 4, 5
DELIVERED, RELAYED, DELAYED, FAILED = 1, 2, 4, 6


def text(value):
    value = value.encode() if isinstance(value, str) else bytes(value)
    return struct.pack("<I", len(value)) + value


def u8(n):
    return struct.pack("<B", n)


def u32(n):
    return struct.pack("<I", n)


def u64(n):
    return struct.pack("<Q", n)


def frame(kind, body=b"", fds=0, length=None):
    return struct.pack("<IHBB", len(body) if length is None else length, kind, fds, 0) + body


def handshake(wire, version=None, magic=0x50485731):
    return frame(0, u32(magic) + text(wire) + struct.pack("<H", VERSIONS[wire] if version is None else version))


class Body:
    """Fields out of a frame that an honest process has written."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def text(self):
        length = self.take("I")
        self.at += length
        return self.data[self.at - length:self.at]

    def status(self):
        kind = self.take("B")
        return (kind, *self.take("HH")) if kind else (0, 0, 0)


class Ended(Exception):
    """The other process has closed the wire."""


class Wire:
    def __init__(self, sock, kind, greet=True):
        self.sock, self.kind = sock, kind
        self.sock.setblocking(True)
        self.sock.settimeout(15)
        self.kept, self.fds = b"", []
        if greet:
            self.raw(handshake(kind))
            if self.frame()[0] != 0:
                raise AssertionError("no handshake")

    def raw(self, data, fds=()):
        """These bytes, whole; a wire that ends meanwhile has ended."""
        try:
            while data:
                sent = socket.send_fds(self.sock, [data], list(fds)) if fds else self.sock.send(data)
                data, fds = data[sent:], ()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Ended from error

    def send(self, name, body=b"", fds=()):
        self.raw(frame(TYPES[self.kind][name], body, len(fds)), fds)

    def more(self):
        try:
            data, found, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(64))
        except ConnectionResetError as error:
            raise Ended from error
        for level, kind, value in found:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.fds += array.array("i", value[:len(value) - len(value) % 4])
        if not data:
            raise Ended
        self.kept += data

    def frame(self):
        while len(self.kept) < 8 or len(self.kept) < 8 + struct.unpack_from("<I", self.kept)[0]:
            self.more()
        length, kind = struct.unpack_from("<IH", self.kept)
        body, self.kept = self.kept[8:8 + length], self.kept[8 + length:]
        return kind, Body(body)

    def expect(self, *names):
        """The next frame of one of these types; others are passed over. (name, body)"""
        wanted = {TYPES[self.kind][name]: name for name in names}
        while True:
            kind, body = self.frame()
            if kind in wanted:
                return wanted[kind], body

    def ended(self):
        """True when the other side ends the wire; whatever it says before is dropped."""
        try:
            while True:
                self.frame()
        except Ended:
            return True
        except TimeoutError:
            return False


# --- submit ---------------------------------------------------------------------------------------------------------------


def envelope(sender, recipients, size, fate=b""):
    """`fate`: claimed of every recipient, as put_fate writes it."""
    flags = 2 if fate else 0
    return (text(sender) + u8(2) + u64(0) + u64(0) + u32(size) + u32(len(recipients)) +
            b"".join(u8(flags) + text(r) + fate for r in recipients))


def message(serial, queue_id, sender, recipients, content, token=(0, 0), large=False, crc=0, fate=b""):
    return (u64(serial) + u64(queue_id) + u64(token[0]) + u64(token[1]) + envelope(sender, recipients, len(content), fate) + u8(large) +
            u32(crc) + text(b"" if large else content))


class Submit(Wire):
    def __init__(self, sock):
        super().__init__(sock, "submit")
        self.first, self.count = self.expect("IDS")[1].take("QI")
        self.used = self.serial = 0

    def id(self):
        self.used += 1
        return self.first + self.used - 1

    def verdict(self, sender, recipients, content, queue_id=None, **claims):
        self.serial += 1
        self.send("MESSAGE", message(self.serial, queue_id or self.id(), sender, recipients, content, **claims))
        serial, verdict = self.expect("VERDICT")[1].take("QB")
        assert serial == self.serial
        return verdict


# --- lookup ---------------------------------------------------------------------------------------------------------------


def route_question(serial, *addresses):
    return u64(serial) + u32(len(addresses)) + b"".join(text(a) for a in addresses)


def mailbox_question(serial, address):
    return u64(serial) + text(address)


def route_answer(serial, verdict, transport, nexthop, count=1, ttl=0):
    return u64(serial) + u64(1) + u32(ttl) + u32(count) + (u8(verdict) + u8(transport) + text(nexthop) + u8(0) + text("")) * count


# --- auth -----------------------------------------------------------------------------------------------------------------


def auth_begin(serial, mechanism, response, client=b"\x7f\0\0\1", secure=True):
    return u64(serial) + text(mechanism) + text(client) + u8(secure) + u8(1) + text(response) + u32(0)


def auth_granted(serial, token, login):
    return u64(serial) + u64(token[0]) + u64(token[1]) + text(login)


# --- deliver --------------------------------------------------------------------------------------------------------------


def hello(credit, *leases):
    return u32(credit) + u32(len(leases)) + b"".join(u64(lease) + u64(i) + u32(len(x)) + b"".join(map(u32, x)) for lease, i, x in leases)


def results(lease, queue_id, *fates, finished=True, damaged=False):
    """`fates`: (index, action, status) of recipients."""
    return (u64(lease) + u64(queue_id) + u8(finished) + u8(damaged) + u64(0) + u64(0) + u32(len(fates)) +
            b"".join(u32(i) + u8(action) + struct.pack("<BHH", *status) + text("as I say") + text("") + u8(0) for i, action, status in fates))


def job(body):
    """(lease, id, content, [(index, address)]) of a JOB with its content inside."""
    lease, queue_id, _, _, _, _, _, _ = body.take("QQQqIBBB")
    body.text(), body.text(), body.text()
    body.take("IIB")
    content = body.text()
    recipients = []
    for _ in range(body.take("I")):
        index = body.take("I")
        recipients.append((index, body.text().decode()))
        body.text(), body.text(), body.take("B")
    return lease, queue_id, content, recipients


# --- key, spawn, log ------------------------------------------------------------------------------------------------------


def sign(key, content, digest=1, pss=False):
    return text(key) + u8(digest) + u8(pss) + text(content)


def spawn_start(worker, uid, gid, user=""):
    return u64(worker) + u32(uid) + u32(gid) + text(user)


def log_datagram(process, *words, event=1, level=1):
    """Records of EVENT_TEXT: KEY_TEXT is 4, a slice has type 2."""
    record = b"".join(u8(event) + u8(level) + u32(0) + u64(n) + u64(0) + u32(1) + u8(4) + u8(2) + text(word) for n, word in enumerate(words, 1))
    return u32(process) + u64(0) + record
