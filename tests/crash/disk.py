"""disk — a file system in a file, and the switch that cuts its power.

    disk = Disk("/dev/shm/x/queue.img", "/var/tmp/x/queue", "ext4")
    disk.make(); disk.on()
    ...
    disk.cut()          # from now on nothing reaches the image: what was not committed is gone
    disk.off(); disk.on()

The switch is the shutdown ioctl of ext4 and xfs with "no log flush". Each time the power comes back the image gets a loop device
anew, because one that stays attached remembers pages that the disk never got. All mounts lie in a mount namespace of their own and
the loop devices end with their mounts, so whatever happens to the tests, the machine keeps nothing.
"""
import ctypes
import errno
import fcntl
import functools
import os
import pathlib
import shutil
import struct
import subprocess

from waiting import wait_for

SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2          # _IOR('X', 125, uint32_t)
LOOP_GET_FREE, LOOP_CONFIGURE = 0x4C82, 0x4C0A
LOOP_AUTOCLEAR = 4
NEW_NAMESPACE, RECURSIVE, PRIVATE = 0x20000, 0x4000, 1 << 18

GIB = 1 << 30
# How each is made, the options of its mount, and the smallest size. Inode tables are small, and written at once or never:
# an image is copied often.
KINDS = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-m", "0", "-N", "4096", "-J", "size=8", "-E", "lazy_itable_init=1,lazy_journal_init=1"],
             "noinit_itable,errors=remount-ro", 16 << 20),
    "xfs": (["mkfs.xfs", "-q", "-f"], "", 320 << 20),
}

libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """This cannot be done to a disk here, and why."""


def check(result, what):
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


@functools.cache
def own_mounts():
    """From now on this process and its children have mounts of their own."""
    check(libc.unshare(NEW_NAMESPACE), "a mount namespace")
    check(libc.mount(b"none", b"/", None, RECURSIVE | PRIVATE, None), "private mounts")


def loop_attach(image):
    """A free loop device for the image, open; it is let go when nobody uses it any more."""
    control, file = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC), os.open(image, os.O_RDWR | os.O_CLOEXEC)
    try:
        while True:                     # between the question and the answer somebody else may have taken it
            number = fcntl.ioctl(control, LOOP_GET_FREE)
            device = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
            info = struct.pack("=5Q4I", 0, 0, 0, 0, 0, 0, 0, 0, LOOP_AUTOCLEAR) + bytes(232 - 56)
            try:
                fcntl.ioctl(device, LOOP_CONFIGURE, struct.pack("=2I", file, 0) + info + bytes(64))
                return device, f"/dev/loop{number}"
            except OSError as error:
                os.close(device)
                if error.errno != errno.EBUSY:
                    raise
    finally:
        os.close(control)
        os.close(file)


class Disk:
    def __init__(self, image, place, kind="ext4", size=2 * GIB):
        self.image, self.place, self.kind = pathlib.Path(image), pathlib.Path(place), kind
        self.size = max(size, KINDS[kind][2])
        self.mounted, self.device = False, None

    def make(self):
        """An empty file system. 2 GiB by default, because posthorn begins no large content with less than 1 GiB free."""
        command, _, _ = KINDS[self.kind]
        self.image.unlink(missing_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(self.size)
        subprocess.run([*command, self.image], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def on(self):
        self.place.mkdir(parents=True, exist_ok=True)
        device, name = loop_attach(self.image)
        try:
            options = KINDS[self.kind][1].encode() or None
            check(libc.mount(name.encode(), bytes(self.place), self.kind.encode(), 0, options), f"mount {self.image}")
        finally:
            os.close(device)
        self.mounted, self.device = True, pathlib.Path(name).name

    def break_down(self):
        """ext4 finds an error in itself and goes on read-only."""
        trigger = pathlib.Path("/sys/fs/ext4", self.device, "trigger_fs_error")
        if not trigger.exists():
            raise Unavailable(f"no {trigger}")
        trigger.write_text("a test")

    def check(self):
        """What an administrator does to an ext4 that found an error. 1: found and put right."""
        done = subprocess.run(["e2fsck", "-fy", self.image], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        assert done.returncode in (0, 1), f"e2fsck ended with {done.returncode}"

    def cut(self):
        handle = os.open(self.place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(handle, SHUTDOWN, struct.pack("=I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def off(self):
        """A process that has just been killed may need a moment to let go of its last file."""
        if not self.mounted:
            return
        wait_for(self._unmounts, 20, lambda: f"the end of whoever still uses {self.place}")
        self.mounted = False

    def _unmounts(self):
        if libc.umount2(bytes(self.place), 0) == 0:
            return True
        code = ctypes.get_errno()
        if code != errno.EBUSY:
            raise OSError(code, f"unmount {self.place}: {os.strerror(code)}")
        return False

    def save(self, name):
        """A copy of the image beside it; holes stay holes."""
        copy_sparse(self.image, self.image.with_suffix("." + name))

    def restore(self, name):
        copy_sparse(self.image.with_suffix("." + name), self.image)


def copy_sparse(source, target):
    scratch = target.with_name(target.name + ".scratch")
    with open(source, "rb") as reading, open(scratch, "wb") as writing:
        size = os.fstat(reading.fileno()).st_size
        writing.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(reading.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break
            end = os.lseek(reading.fileno(), at, os.SEEK_HOLE)
            while at < end:
                at += os.sendfile(writing.fileno(), reading.fileno(), at, end - at) if seek(writing, at) else 0
    scratch.replace(target)


def seek(file, at):
    os.lseek(file.fileno(), at, os.SEEK_SET)
    return True


def room(needed=2 * GIB):
    """Where images lie: memory if there is enough of it, because then a cut costs no time; else where temporary files do."""
    memory = pathlib.Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > needed:
        return memory
    return pathlib.Path(os.environ.get("TMPDIR", "/var/tmp"))


def why_not(kind, directory):
    """None when power can be cut on this kind of file system; else the reason. Tries it: what was synced stays, the rest goes."""
    if os.getuid() != 0:
        return "only root mounts file systems"
    if shutil.which(KINDS[kind][0][0]) is None:
        return f"{KINDS[kind][0][0]} is not there"
    disk = Disk(directory / f"try-{kind}.img", directory / f"try-{kind}", kind, 64 << 20)
    try:
        own_mounts()
        disk.make()
        disk.on()
        return probe(disk)
    except (OSError, subprocess.CalledProcessError) as error:
        return str(error)
    finally:
        disk.off()
        disk.image.unlink(missing_ok=True)


def probe(disk):
    (disk.place / "kept").write_bytes(b"kept")
    synced = os.open(disk.place / "kept", os.O_RDONLY)
    os.fsync(synced)
    os.close(synced)
    (disk.place / "lost").write_bytes(b"lost")
    disk.cut()
    disk.off()
    disk.on()
    kept, lost = (disk.place / "kept").exists(), (disk.place / "lost").exists()
    return None if kept and not lost else f"the shutdown ioctl does not cut power on {disk.kind}: kept {kept}, lost {not lost}"
