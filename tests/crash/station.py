"""station — a posthorn whose queue and mail lie on disks of their own, with a next hop, a ledger, a judge and the switch.

posthorn runs as an ordinary user; only the disks need root. Layouts: "one" disk for queue and mail, "two", one for each.
"""
import os
import pathlib
import pwd
import time

from disk import GIB, Disk, libc
from judge import Judge
from posthorn import Posthorn, merged
from taker import Fickle, refuses

USERS = [f"user{i}" for i in range(8)]
ACCOUNTS = ("posthorn-test", "nobody")
LAYOUTS = ("one", "two")
SPOOL_EMPTY = 3                 # seconds in which what is finished leaves the spool

SETTINGS = {
    "postmaster": "user0@local.test",
    "smtpd": {"workers": 1, "max-errors": 1000},
    "queue": {"ring-segments": 8, "segment-size": "1MiB", "retry": ["300ms", "600ms", "1s"]},
    "relay": {"workers": 1},
}


def account():
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise AssertionError("no ordinary user to run posthorn as: " + ", ".join(ACCOUNTS))


class Station:
    def __init__(self, directory, images, layout="one", kind="ext4", next_hop=None, settings=None, size=2 * GIB):
        """directory: where the mounts are. images: the folder of the image files. Another next_hop writes into `taken` here."""
        self.directory, self.layout, self.kind = pathlib.Path(directory), layout, kind
        self.directory.mkdir(parents=True, exist_ok=True)
        images = pathlib.Path(images)
        images.mkdir(parents=True, exist_ok=True)
        # The queue's first: whoever loses it while the other still works can promise nothing any more.
        self.disks = [Disk(images / "queue.img", self.directory / "disk-queue", kind, size)]
        if layout == "two":
            self.disks.append(Disk(images / "mail.img", self.directory / "disk-mail", kind, size))
        self.account = account()
        self.next_hop = next_hop or Fickle(self.directory / "taken")
        self.promises, self.taken = self.directory / "promises", self.directory / "taken"
        self.mta = self._posthorn(settings or {})
        self.new_judge()

    def _posthorn(self, settings):
        place = self.disks[-1].place
        ours = {"queue": {"directory": self.disks[0].place / "queue"},
                "relay": {"smart-host": f"[127.0.0.1]:{self.next_hop.port}"}}
        self.make()
        mta = Posthorn(self.directory, merged(merged(SETTINGS, ours), settings), users=USERS, account=self.account, mail=place / "mail")
        mta.expect_dirty_stop = True
        self.settings = mta.over
        mta.choose_ports()
        self.off()
        return mta

    def clear_ledger(self, promises=""):
        """Nothing was sent yet, or only this."""
        self.promises.write_text(promises)
        self.taken.unlink(missing_ok=True)
        self.next_hop.follow(self.taken)
        self.new_judge()

    def new_judge(self):
        self.judge = Judge(self.promises, self.taken, self.mta.maildirs(), refuses)

    # -- the disks ----------------------------------------------------------------------------------------------------

    def make(self):
        """Empty disks, with the folders in which an administrator would put queue and mail."""
        for disk in self.disks:
            disk.make()
            disk.on()
        for place, name in ((self.disks[0].place, "queue"), (self.disks[-1].place, "mail")):
            (place / name).mkdir()
            self.own(place / name)
            sync(place)

    def own(self, path):
        os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def save(self, name):
        for disk in self.disks:
            disk.save(name)

    def restore(self, name):
        for disk in self.disks:
            disk.restore(name)

    def on(self):
        for disk in self.disks:
            disk.on()

    def off(self):
        for disk in self.disks:
            disk.off()

    def cut(self):
        """The power fails for disks and processes; the disks are dark afterwards."""
        began = time.time()
        for disk in self.disks:
            disk.cut()
        self.kill(began)
        self.off()

    def kill(self, began=None):
        began = began or time.time()
        self.mta.kill_all()
        self.judge.killed(began, time.time())

    # -- posthorn -----------------------------------------------------------------------------------------------------

    def settle(self, settings):
        """Beside those of the station, until something else is said."""
        self.mta.over = merged(self.settings, settings)

    def start(self, environment=None, arguments=(), ready=True):
        self.mta.environment, self.mta.arguments = environment or {}, list(arguments)
        self.mta.configure()
        self.mta.restart(ready=ready)

    def pids(self, who):
        return self.mta.pids(who) if self.mta.process is not None else []

    def stopped(self, who):
        """True when a process of that kind stands still at its point."""
        return any(state(pid) in "Tt" for pid in self.pids(who))

    def drain(self, seconds=30):
        """Whatever waits may go, and goes."""
        self.next_hop.open = True       # of a Fickle one
        self.mta.posthorn("queue", "release", "all", check=False)
        self.mta.posthorn("queue", "retry", "all", check=False)
        self.mta.wait_empty(seconds)

    def spooled(self):
        return files_below(self.disks[0].place / "queue/spool")

    def still_spooled(self):
        end = time.monotonic() + SPOOL_EMPTY
        while (spool := self.spooled()) and time.monotonic() < end:
            time.sleep(0.01)
        return spool

    def left_over(self, allowed="torn-"):
        """What a disk with nothing to do must not hold. The spool becomes empty behind the last answer; the content of a large message
        whose end was cut off may stay until the next start."""
        spool = self.still_spooled()
        if spool and all(name.startswith("large/") for name in spool):
            self.cut()
            self.on()
            self.start()
            spool = self.still_spooled()
        aside = [name for name in files_below(self.disks[0].place / "queue/corrupt") if not name.startswith(("torn-", allowed))]
        return [f"{name} holds {files[:5]} when all is done" for name, files in (("spool", spool), ("corrupt", aside)) if files]

    def end(self):
        self.mta.kill_all()
        self.off()
        self.next_hop.end()


def files_below(place):
    """Their names, with those of their folders. What vanishes meanwhile is not there."""
    return sorted(os.path.relpath(os.path.join(folder, name), place) for folder, _, names in os.walk(place) for name in names)


def sync(place):
    """The file system of a directory, and no other."""
    handle = os.open(place, os.O_RDONLY)
    libc.syncfs(handle)
    os.close(handle)


def state(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "X"
    return text[text.rindex(")") + 2]


