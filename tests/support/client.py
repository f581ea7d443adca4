"""client — a raw SMTP client: what goes over the wire is what the test wrote, byte by byte."""
import re
import socket
import struct


class Closed(Exception):
    """The server closed the connection where an answer was due."""


class Reply:
    """One whole reply. `code` is an int, `lines` the texts without code and separator, `raw` the bytes."""

    def __init__(self, lines):
        self.raw = b"".join(lines)
        texts = [line.rstrip(b"\r\n").decode("utf-8", "replace") for line in lines]
        self.code = int(texts[-1][:3])
        self.lines = [text[4:] for text in texts]
        self.text = self.lines[-1]
        match = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", self.lines[0])
        self.status = match.group(0) if match else ""

    def __str__(self):
        return "\n".join(f"{self.code} {line}" for line in self.lines)

    def __repr__(self):
        return f"Reply({str(self)!r})"


class Client:
    def __init__(self, address, timeout=15, source=None, greet=True):
        self.sock = socket.create_connection(address, timeout, source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        """One line with its end. Closed when the server ended the connection."""
        while b"\n" not in self.kept:
            try:
                got = self.sock.recv(65536)
            except ConnectionError as error:
                raise Closed(str(error)) from error
            if not got:
                raise Closed("end of file after " + repr(self.kept))
            self.kept += got
        line, self.kept = self.kept.split(b"\n", 1)
        return line + b"\n"

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        for line in lines:
            if not re.match(rb"[2-5][0-9][0-9]([ -].*)?\r\n$", line):
                raise AssertionError(f"not a reply line: {line!r}")
        return Reply(lines)

    def command(self, text):
        self.send((text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        return self.reply()

    def pipeline(self, commands):
        """All commands in one write, then one reply for each."""
        self.send(b"".join((c if isinstance(c, bytes) else c.encode()) + b"\r\n" for c in commands))
        return [self.reply() for _ in commands]

    def hello(self, name="client.example"):
        return self.command("EHLO " + name)

    def content(self, content):
        """The bytes after 354: dots stuffed, the end put behind. `content` has CRLF line ends, the last one, too."""
        return dot_stuffed(content) + b".\r\n"

    def transaction(self, sender, recipients, content, options=""):
        """MAIL to the final dot; the replies in a list. Stops early when DATA was refused."""
        replies = self.pipeline([f"MAIL FROM:<{sender}>{options}"] + [f"RCPT TO:<{r}>" for r in recipients] + ["DATA"])
        if replies[-1].code == 354:
            self.send(self.content(content))
            replies.append(self.reply())
        return replies

    def quit(self):
        reply = self.command("QUIT")
        self.close()
        return reply

    def closed(self):
        """True when the server ends the connection next; whatever it says before is dropped."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True

    def abort(self):
        """Ends with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.sock.close()


def dot_stuffed(content):
    assert content == b"" or content.endswith(b"\r\n"), "content ends with CRLF"
    content = re.sub(rb"\r\n\.", b"\r\n..", content)
    return b"." + content if content.startswith(b".") else content


def send(address, sender, recipients, content, **options):
    """One message on one connection. Returns the last reply; raises when anything before it was refused."""
    with Client(address, **options) as client:
        client.hello()
        replies = client.transaction(sender, recipients, content)
        refused = [r for r in replies[:-1] if r.code >= 400]
        if refused:
            raise AssertionError(f"refused: {refused}")
        client.quit()
        return replies[-1]
