"""private_root — another MTA's Debian package in a root of its own: nothing is installed, the machine's files stay as they are.

An overlay of the unpacked packages over the machine's root, with a layer in memory that takes every change; it is mounted in the
caller's own mount namespace (disk.own_mounts), so it ends with the tests. Accounts exist only in there.
"""
import os
import pathlib
import shutil
import subprocess

import disk
from deb_tree import unpack

BIND = 4096


def fetch(peers, name, packages):
    """The folder into which the packages are unpacked; does nothing when they are there."""
    tree = pathlib.Path(peers).resolve() / name
    if not (tree / ".complete").exists():
        tree.mkdir(parents=True, exist_ok=True)
        for package in packages:
            unpack(package, tree)
        if (tree / "lib").is_dir():             # on the machine it is a link to usr/lib, which must not be hidden
            shutil.copytree(tree / "lib", tree / "usr/lib", dirs_exist_ok=True)
            shutil.rmtree(tree / "lib")
        (tree / ".complete").touch()
    return tree


def version(peers, package):
    """As the package's file name has it."""
    found = sorted(pathlib.Path(peers).glob(package + "_*.deb"))
    return found[-1].name.split("_")[1].replace("%3a", ":") if found else "?"


def mount(source, place, kind, options="", flags=0):
    disk.check(disk.libc.mount(source.encode(), bytes(place), kind and kind.encode(), flags, options.encode() or None), f"mount on {place}")


class PrivateRoot:
    def __init__(self, directory, tree, accounts):
        """accounts: (name, uid), each with a group of its name and number."""
        disk.own_mounts()
        self.layer, self.root = pathlib.Path(directory) / "layer", pathlib.Path(directory) / "root"
        for path in (self.layer, self.root):
            path.mkdir(parents=True)
        mount("layer", self.layer, "tmpfs")
        for name in ("upper", "work"):
            (self.layer / name).mkdir()
        shutil.copytree(tree, self.layer / "tree", symlinks=True)       # an overlay refuses layers of which one holds the other
        mount("root", self.root, "overlay", f"lowerdir={self.layer}/tree:/,upperdir={self.layer}/upper,workdir={self.layer}/work")
        for name in ("/dev", "/proc"):
            mount(name, self.root / name[1:], None, flags=BIND)
        for name, uid in accounts:
            if not self.ids(name):
                self.append("etc/passwd", f"{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n")
                self.append("etc/group", f"{name}:x:{uid}:\n")

    def ids(self, name):
        """User and group number in there; None when there is no such account."""
        for line in (self.root / "etc/passwd").read_text().splitlines():
            words = line.split(":")
            if words[0] == name:
                return int(words[2]), int(words[3])
        return None

    def append(self, name, text):
        with open(self.root / name, "a", encoding="utf-8") as file:
            file.write(text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(self, *command, errors=subprocess.DEVNULL):
        """A session of its own, so that all of it can be found again."""
        return subprocess.Popen(["chroot", self.root, *command], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                start_new_session=True, cwd="/", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"})

    def command(self, *command):
        done = subprocess.run(["chroot", self.root, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=120, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"})
        return done.stdout + done.stderr

    def pids(self):
        """Every process that has this root."""
        found = []
        for entry in os.scandir("/proc"):
            try:
                if entry.name.isdigit() and os.path.samefile(f"{entry.path}/root", self.root):
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def end(self):
        for path in (self.root / "proc", self.root / "dev", self.root, self.layer):
            disk.libc.umount2(bytes(path), 2)
