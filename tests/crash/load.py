"""load — many SMTP clients in a process of their own, and a ledger of what they were promised.

    load = Load(ledger, mx, trusted, users, seed)
    load.go("phase1", rate=300)     # 300 messages a second, more for a while after the server was away
    load.rest()                     # no new messages; returns when none is on its way

Lines of the ledger, each written in one call, the first before the final dot leaves and the second when its 250 has come:

    S ID TIME RECIPIENT,RECIPIENT
    A ID TIME QUEUE-ID
    R CODE TIME                     (something was refused; CODE is 000 when the connection ended instead)

Clients on 127.0.0.1 are strangers and send to local users; those on 127.0.0.2 are trusted and send anywhere. A message that got
no 250 is never sent again, so nothing but the server can make two of one.
"""
import asyncio
import multiprocessing
import os
import random
import time

from client import dot_stuffed
from mails import Source

CLIENTS = 24
PATIENCE = 40               # seconds for one message; longer than the watchdog takes to replace a stuck process
CATCH_UP = 3                # seconds of messages that may be made up for
STRANGER, TRUSTED = "127.0.0.1", "127.0.0.2"


class Refused(Exception):
    """Somewhere between the greeting and 250. The first word is the code."""


class Pace:
    """Messages a second, and up to CATCH_UP seconds of them at once after a pause of the server."""

    def __init__(self, rate):
        self.rate, self.began, self.taken = rate, time.monotonic(), 0

    async def take(self):
        while True:
            due = self.rate * (time.monotonic() - self.began)
            self.taken = max(self.taken, int(due - CATCH_UP * self.rate))
            if self.taken < due:
                self.taken += 1
                return
            await asyncio.sleep((self.taken + 1 - due) / self.rate)


class Clients:
    def __init__(self, ledger, mx, trusted, users, seed, large, pipelined):
        self.file = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.mx, self.trusted, self.users = mx, trusted, users
        self.random = random.Random(seed)
        self.source = Source(seed, large=large)
        self.pipelined = pipelined
        self.prefix, self.count, self.pace = "", 0, None
        self.busy = 0
        self.asked = asyncio.Event()        # set while there is work

    def note(self, line):
        os.write(self.file, line.encode())

    async def serve(self, commands):
        loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(self.client(number)) for number in range(CLIENTS)]
        commands.send("ready")
        while True:
            command = await loop.run_in_executor(None, receive, commands)
            if command[0] == "end":
                break
            if command[0] == "go":
                self.prefix, self.count, self.pace = command[1], 0, Pace(command[2])
                self.asked.set()
            else:
                self.asked.clear()
                while self.busy > 0:
                    await asyncio.sleep(0.01)
                commands.send("resting")
        for task in tasks:
            task.cancel()

    async def client(self, number):
        while True:
            await self.asked.wait()
            self.busy += 1
            try:
                await self.session(number)
            except Refused as refused:
                self.note(f"R {str(refused)[:3]} {time.time():.6f}\n")
                await asyncio.sleep(0.02)
            except (OSError, EOFError, asyncio.TimeoutError, ValueError):
                self.note(f"R 000 {time.time():.6f}\n")
                await asyncio.sleep(0.02)
            finally:
                self.busy -= 1

    async def session(self, number):
        source = STRANGER if number % 2 else TRUSTED
        address = self.mx if source == STRANGER or number % 8 == 0 else self.trusted
        connecting = asyncio.open_connection(*address, local_addr=(source, 0), limit=1 << 16)
        reader, writer = await asyncio.wait_for(connecting, PATIENCE)
        try:
            await asyncio.wait_for(self.hello(reader, writer), PATIENCE)
            for _ in range(self.random.randrange(1, 40)):
                await self.pace.take()
                if not self.asked.is_set():
                    break
                await asyncio.wait_for(self.message(reader, writer, source), PATIENCE)
            writer.write(b"QUIT\r\n")
        finally:
            writer.close()

    async def hello(self, reader, writer):
        await expect(reader, "220")
        writer.write(b"EHLO client.example\r\n")
        await expect(reader, "250")

    def recipients(self, source):
        some = [f"{user}@local.test" for user in self.random.sample(self.users, self.random.choice((1, 1, 1, 2)))]
        if source == STRANGER or self.random.random() < 0.2:
            return some
        far = [f"far{self.random.randrange(50)}@far{self.random.randrange(3)}.example"]
        return far + some[:1] if self.random.random() < 0.2 else far

    async def commands(self, reader, writer, lines):
        if self.pipelined:
            writer.write("".join(line + "\r\n" for line in lines).encode())
            return [await reply(reader) for _ in lines]
        replies = []
        for line in lines:
            writer.write(line.encode() + b"\r\n")
            replies.append(await reply(reader))
        return replies

    async def message(self, reader, writer, source):
        self.count += 1
        name, wanted = f"{self.prefix}-{self.count}", self.recipients(source)
        lines = ["MAIL FROM:<load@sender.example> BODY=8BITMIME"] + [f"RCPT TO:<{r}>" for r in wanted] + ["DATA"]
        replies = await self.commands(reader, writer, lines)
        taken = [r for r, said in zip(wanted, replies[1:-1]) if said.startswith("250")]
        if not replies[-1].startswith("354"):
            raise Refused(next((said for said in replies if not said.startswith("250")), "000"))
        self.note(f"S {name} {time.time():.6f} {','.join(taken)}\n")
        writer.write(dot_stuffed(self.source.message(name)) + b".\r\n")
        said = await reply(reader)
        if not said.startswith("250"):
            raise Refused(said)
        self.note(f"A {name} {time.time():.6f} {said.split()[-1]}\n")


def receive(commands):
    """What the tests say next; that they are gone counts as "end"."""
    try:
        return commands.recv()
    except EOFError:
        return ("end",)


async def reply(reader):
    """The last line of one whole reply."""
    while True:
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        if line[3:4] != b"-":
            return line.decode("utf-8", "replace").rstrip()


async def expect(reader, code):
    said = await reply(reader)
    if not said.startswith(code):
        raise Refused(said)


def run(commands, others_end, *arguments):
    others_end.close()
    asyncio.run(Clients(*arguments).serve(commands))


class Load:
    """The other side: starts the process and tells it what to do."""

    def __init__(self, ledger, mx, trusted, users, seed, large=0.004, pipelined=True):
        context = multiprocessing.get_context("spawn")
        self.commands, theirs = context.Pipe()
        self.process = context.Process(target=run, daemon=True,
                                       args=(theirs, self.commands, str(ledger), mx, trusted, users, seed, large, pipelined))
        self.process.start()
        theirs.close()
        self.commands.recv()                # ready

    def go(self, prefix, rate):
        self.commands.send(("go", prefix, rate))

    def rest(self):
        self.commands.send(("rest",))
        assert self.commands.poll(PATIENCE + 20), "the clients do not come to rest"
        self.commands.recv()

    def end(self):
        self.commands.send(("end",))
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
