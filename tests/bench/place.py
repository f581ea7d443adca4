"""place — where a benchmark happens: a fresh file system, an ordinary user, binaries which that user can read."""
import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess

import posthorn

USER = "posthorn-bench"
PROGRAMS = ("control/supervisor/posthornd", "control/logger/logger", "control/cli/posthorn", "control/cli/mailq", "lookup/lookup",
            "smtpd/smtpd", "smtpd/key/key", "queue/queue", "relay/relay", "mda/mda", "mda/worker/worker")


def say(text):
    print(text, flush=True)


@contextlib.contextmanager
def place(size_gib):
    """A fresh ext4 with a journal; without root, a folder of whatever is there."""
    base = pathlib.Path("/var/tmp" if os.access("/var/tmp", os.W_OK) else "/tmp") / f"posthorn-bench-{os.getpid()}"
    base.mkdir(mode=0o755)
    mounted = False
    try:
        if os.getuid() == 0:
            image = base / "image"
            with open(image, "wb") as file:
                file.truncate(size_gib << 30)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-N", "4000000", image], check=True)
            (base / "fs").mkdir()
            subprocess.run(["mount", "-o", "loop", image, base / "fs"], check=True)
            mounted = True
            say(f"file system: ext4 with journal, loop-mounted, {size_gib} GiB")
        else:
            (base / "fs").mkdir()
            say(f"file system: the one below {base}; without root there is no image to mount")
        yield base / "fs"
    finally:
        if mounted:
            subprocess.run(["umount", base / "fs"], check=False)
        shutil.rmtree(base, ignore_errors=True)


def ordinary_user():
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER], check=True)
        return pwd.getpwnam(USER)


def stage_binaries(directory):
    """The checkout may lie where an ordinary user cannot read."""
    stage = directory / "bin"
    for name in PROGRAMS:
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(posthorn.build_directory() / name, stage / name)
    return stage


def program(name):
    return posthorn.build_directory() / "tests/bench" / name
