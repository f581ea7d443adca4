"""deb_tree — Debian packages unpacked into a private folder, and never installed.

`apt-get download` fetches, `dpkg -x` unpacks; libraries that the machine lacks come the same way. Used by the other MTAs of
demonstrations and measurements.

    tree = deb_tree.fetch("build/peers", "exim", "exim4-daemon-light", ["usr/sbin/exim4"])
    subprocess.run([tree / "usr/sbin/exim4", "-bV"], env={"LD_LIBRARY_PATH": deb_tree.library_path(tree)})
"""
import grp
import os
import pathlib
import pwd
import re
import stat
import subprocess

LIBRARY_PACKAGES = {"libicuuc": "libicu72", "libnsl": "libnsl2", "libtirpc": "libtirpc3", "libdb-5.3": "libdb5.3",
                    "libsasl2": "libsasl2-2", "libssl": "libssl3", "libcrypto": "libssl3", "libidn": "libidn12",
                    "libidn2": "libidn2-0", "libgnutls-dane": "libgnutls-dane0", "libgnutls": "libgnutls30",
                    "libunbound": "libunbound8", "libpcre2-8": "libpcre2-8-0", "libevent-2.1": "libevent-2.1-7",
                    "libevent_core-2.1": "libevent-core-2.1-7", "libhogweed": "libhogweed6", "libnettle": "libnettle8"}


class Unavailable(Exception):
    """This server cannot run here, and why."""


def fetch(peers, name, package, programs):
    """Returns the folder, PEERS/NAME, into which the package and what it lacks here are unpacked; does nothing when they are there."""
    tree = pathlib.Path(peers).resolve() / name
    if not (tree / ".complete").exists():
        tree.mkdir(parents=True, exist_ok=True)
        unpack(package, tree)
        for _ in range(4):              # a library may lack another one
            missing = missing_libraries(tree, programs)
            if not missing:
                break
            for name in missing:
                unpack(name, tree)
        else:
            raise Unavailable(f"libraries of {package} are missing: {missing}")
        (tree / ".complete").touch()
    return tree


def unpack(package, tree):
    before = set(tree.parent.glob("*.deb"))
    for attempt in (0, 1):
        done = subprocess.run(["apt-get", "download", "-q", package], cwd=tree.parent, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        if attempt or os.getuid() != 0:
            raise Unavailable(f"apt-get download {package}: {done.stderr.strip()}")
        subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=False)
    debs = [deb for deb in tree.parent.glob(package + "_*.deb")] or list(set(tree.parent.glob("*.deb")) - before)
    subprocess.run(["dpkg", "-x", debs[0], tree], check=True)


def library_path(tree):
    return ":".join(str(path) for path in [tree / "usr/lib/postfix", *sorted(tree.glob("usr/lib/*-linux-gnu*"))] if path.is_dir())


def missing_libraries(tree, programs):
    told = subprocess.run(["ldd", *[tree / program for program in programs]], capture_output=True, text=True, check=False,
                          env=dict(os.environ, LD_LIBRARY_PATH=library_path(tree))).stdout
    names = set(re.findall(r"^\s*(\S+?)\.so\S* => not found", told, re.M))
    unknown = [name for name in names if name not in LIBRARY_PACKAGES]
    if unknown:
        raise Unavailable(f"libraries that no known package has are missing: {unknown}")
    return sorted({LIBRARY_PACKAGES[name] for name in names})


def ensure_accounts(users, groups=()):
    """System users, each with a group of its name, and further groups; made when missing."""
    if os.getuid() != 0:
        raise Unavailable("it starts only as root")
    for group in groups:
        try:
            grp.getgrnam(group)
        except KeyError:
            subprocess.run(["groupadd", "-r", group], check=True)
    for user in users:
        try:
            pwd.getpwnam(user)
        except KeyError:
            subprocess.run(["useradd", "-r", "-M", "-U", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", user], check=True)


def open_to_all(path):
    """True when every folder above may be entered by anybody."""
    path = pathlib.Path(path).resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path, *path.parents])


def private_mounts(binds, command):
    """The command in a mount namespace of its own, where each key of `binds` lies over the path that is its value."""
    script = "".join(f'mount --bind "{over}" "{path}" && ' for over, path in binds.items()) + 'exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", *map(str, command)] if binds else list(map(str, command))
