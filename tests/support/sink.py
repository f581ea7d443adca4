"""sink — a scripted SMTP server that takes mail, keeps what it got, and misbehaves on request.

    sink = Sink()
    sink.on("RCPT", "bob@", "550 5.1.1 no such user")          # every RCPT with bob@ in it
    sink.on("DOT", None, "451 4.3.0 later", times=1)           # the first final dot only
    sink.on("DATA", None, Action.CLOSE)                        # close instead of an answer
    sink.wait(3)                                               # until three messages are accepted

    sink.secure = context                                      # offers STARTTLS (an ssl.SSLContext)
    sink.secured_extensions = ["REQUIRETLS"]                   # and what more below TLS

Verbs: STARTTLS CONNECT (the greeting), EHLO HELO MAIL RCPT DATA BDAT DOT (also what ends the last chunk) RSET NOOP QUIT. The
first rule that fits answers; without one the sink agrees. A reply may be a text (several lines with \\n), an Action, or a function (session, line) giving one of those.
One thread runs all sessions on its own asyncio loop; replies to pipelined commands leave in one write.
"""
import asyncio
import enum
import hashlib
import threading
import time

from waiting import wait_for


class Action(enum.Enum):
    CLOSE = 1       # end the connection at once
    RESET = 2       # end it with RST
    HANG = 3        # never answer


class Transaction:
    def __init__(self, session):
        self.session = session.number
        self.hello = session.hello
        self.extended = session.extended
        self.secure = session.secure
        self.sender = None
        self.mail_line = ""
        self.recipients = []        # accepted
        self.refused = []
        self.content = b""          # dots unstuffed, CRLF as it came
        self.accepted = False
        self.at = 0.0

    @property
    def digest(self):
        return hashlib.sha256(self.content).hexdigest()


class Rule:
    def __init__(self, verb, match, reply, times):
        self.verb, self.match, self.reply, self.left = verb, match, reply, times

    def take(self, verb, line):
        if verb != self.verb or self.left == 0 or (self.match is not None and self.match not in line):
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Session(asyncio.Protocol):
    def __init__(self, sink):
        self.sink = sink
        self.number = 0
        self.hello = ""
        self.extended = False
        self.kept = bytearray()
        self.in_data = False
        self.chunk = None           # (bytes of the BDAT under way, the last one?)
        self.hung = False
        self.now = None
        self.out = []
        self.transport = None
        self.lines = []             # every command line, as text
        self.secure = False         # TLS is on
        self.upgrading = False      # or about to be

    def connection_made(self, transport):
        self.transport = transport
        self.sink.sessions.append(self)
        self.number = len(self.sink.sessions)
        self.peer = transport.get_extra_info("peername")
        self.answer("CONNECT", "", "220 " + self.sink.name + " ESMTP sink")
        self.flush()

    def connection_lost(self, exc):
        self.sink.closed += 1

    def data_received(self, data):
        self.kept += data
        if self.upgrading:
            return
        while not self.hung and not self.transport.is_closing():
            take = self.take_chunk if self.chunk else self.take_content if self.in_data else self.take_line
            if not take():
                break
        self.flush()

    def flush(self):
        if self.out and not self.transport.is_closing():
            self.transport.write(b"".join(self.out))
        self.out = []

    def take_line(self):
        end = self.kept.find(b"\n")
        if end == -1:
            return False
        line = bytes(self.kept[:end]).rstrip(b"\r").decode("utf-8", "surrogateescape")
        del self.kept[:end + 1]
        self.lines.append(line)
        self.command(line)
        return True

    def take_content(self):
        """RFC 5321 4.5.2: the end is CRLF . CRLF and nothing else; an empty message may begin with it."""
        if self.kept.startswith(b".\r\n"):
            end, rest = 0, 3
        else:
            at = self.kept.find(b"\r\n.\r\n", max(0, self.scanned - 4))
            if at == -1:
                self.scanned = len(self.kept)
                return False
            end, rest = at + 2, at + 5
        body = bytes(self.kept[:end])
        del self.kept[:rest]
        body = body.replace(b"\r\n.", b"\r\n")
        self.now.content = body[1:] if body.startswith(b".") else body
        self.in_data = False
        self.end_of_content()
        return True

    def take_chunk(self):
        """RFC 3030: so many bytes, whatever they are; without a transaction they are passed over."""
        size, last = self.chunk
        if len(self.kept) < size:
            return False
        data = bytes(self.kept[:size])
        del self.kept[:size]
        self.chunk = None
        if self.now is None or not self.now.recipients:
            self.now = None
            self.answer("BDAT", "", "503 5.5.1 no valid recipients")
        else:
            self.now.content += data
            if last:
                self.end_of_content()
            else:
                self.answer("BDAT", self.now.mail_line, f"250 2.0.0 {size} octets")
        return True

    def end_of_content(self):
        said = self.answer("DOT", self.now.mail_line, "250 2.0.0 taken")
        self.now.accepted = said.startswith("2")
        self.now.at = time.monotonic()
        self.sink.record(self.now)
        self.now = None

    def command(self, line):
        verb = line.split(" ", 1)[0].upper()
        getattr(self, "do_" + verb.lower(), self.do_other)(line, verb)

    def do_ehlo(self, line, verb):
        self.extended = True
        offers = self.sink.secured_extensions if self.secure else ["STARTTLS"] if self.sink.secure else []
        said = self.answer(verb, line, "250 " + "\n".join([self.sink.name] + self.sink.extensions + offers))
        if said.startswith("2"):
            self.hello = line[5:]
            self.now = None

    def do_helo(self, line, verb):
        self.extended = False
        if self.answer(verb, line, "250 " + self.sink.name).startswith("2"):
            self.hello = line[5:]
            self.now = None

    def do_mail(self, line, verb):
        if self.answer(verb, line, "250 2.1.0 ok").startswith("2"):
            self.now = Transaction(self)
            self.now.mail_line = line
            self.now.sender = line[line.find("<") + 1:line.find(">")]

    def do_rcpt(self, line, verb):
        recipient = line[line.find("<") + 1:line.rfind(">")] if "<" in line else line
        if self.now is None:
            self.answer(verb, line, "503 5.5.1 MAIL first")
        elif self.answer(verb, line, "250 2.1.5 ok").startswith("2"):
            self.now.recipients.append(recipient)
        else:
            self.now.refused.append(recipient)

    def do_data(self, line, verb):
        usual = "354 go on" if self.now is not None and self.now.recipients else "554 5.5.1 no valid recipients"
        if self.answer(verb, line, usual).startswith("354"):
            self.in_data = True
            self.scanned = 0

    def do_bdat(self, line, verb):
        words = line.upper().split(" ")
        self.chunk = (int(words[1]), words[2:] == ["LAST"])

    def do_rset(self, line, verb):
        self.now = None
        self.answer(verb, line, "250 2.0.0 ok")

    def do_noop(self, line, verb):
        self.answer(verb, line, "250 2.0.0 ok")

    def do_starttls(self, line, verb):
        if self.answer(verb, line, "220 2.0.0 go ahead" if self.sink.secure and not self.secure else "502 5.5.1 no").startswith("220"):
            self.flush()
            self.transport.pause_reading()
            self.now, self.extended, self.hello, self.upgrading = None, False, "", True
            self.sink.loop.create_task(self.go_secure())

    async def go_secure(self):
        try:
            self.transport = await self.sink.loop.start_tls(self.transport, self, self.sink.secure, server_side=True)
            self.secure, self.upgrading = True, False
            self.data_received(b"")
        except OSError as error:        # ssl.SSLError is one
            self.sink.refused.append(str(error))

    def do_quit(self, line, verb):
        if self.answer(verb, line, "221 2.0.0 bye"):
            self.flush()
            self.transport.close()

    def do_other(self, line, verb):
        self.answer(verb, line, "502 5.5.2 what?")

    def answer(self, verb, line, usual):
        """Queues the reply that the rules or habit give; returns its text, empty when there is none."""
        reply = self.sink.reply_for(self, verb, line, usual)
        if isinstance(reply, Action):
            self.flush()
            if reply is Action.HANG:
                self.hung = True
            elif reply is Action.RESET:
                self.transport.abort()
            else:
                self.transport.close()
            return ""
        code, texts = reply[:3], reply[4:].split("\n")
        for i, text in enumerate(texts):
            self.out.append(f"{code}{' ' if i == len(texts) - 1 else '-'}{text}\r\n".encode())
        return reply


class Sink:
    def __init__(self, host="127.0.0.1", port=0, name="sink.test", extensions=("PIPELINING", "8BITMIME", "SIZE 104857600", "ENHANCEDSTATUSCODES")):
        self.name = name
        self.extensions = list(extensions)
        self.secured_extensions = []
        self.rules = []
        self.transactions = []
        self.sessions = []
        self.closed = 0
        self.secure = None              # an ssl.SSLContext: STARTTLS is offered
        self.refused = []               # handshakes that failed
        self.keep_content = True
        self._lock = threading.Lock()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(host, port, ready), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the sink did not start")
        if self._error:
            raise self._error

    def _run(self, host, port, ready):
        self._error = None
        asyncio.set_event_loop(self.loop)
        try:
            self._server = self.loop.run_until_complete(self.loop.create_server(lambda: Session(self), host, port, backlog=1024))
            self.address = self._server.sockets[0].getsockname()[:2]
            self.host, self.port = self.address
        except OSError as error:
            self._error = error
            ready.set()
            return
        ready.set()
        self.loop.run_forever()

    def on(self, verb, match, reply, times=None):
        with self._lock:
            self.rules.append(Rule(verb, match, reply, times))

    def forget_rules(self):
        with self._lock:
            self.rules = []

    def reply_for(self, session, verb, line, usual):
        with self._lock:
            for rule in self.rules:
                if rule.take(verb, line):
                    return rule.reply(session, line) if callable(rule.reply) else rule.reply
        return usual

    def record(self, transaction):
        if not self.keep_content:
            transaction.content = b""
        with self._lock:
            self.transactions.append(transaction)

    def accepted(self):
        with self._lock:
            return [t for t in self.transactions if t.accepted]

    def wait(self, count, seconds=20):
        """Until so many messages were accepted; returns them."""
        wait_for(lambda: len(self.accepted()) >= count, seconds, lambda: f"{count} messages at the sink ({len(self.accepted())} there)")
        return self.accepted()

    def close(self):
        def stop():
            self._server.close()
            for session in self.sessions:
                if session.transport:
                    session.transport.abort()
            self.loop.call_soon(self.loop.stop)

        self.loop.call_soon_threadsafe(stop)
        self._thread.join(5)
