"""What a program must not have in it: the hooks of --enable-evil, which serve tests/evil and nobody else."""
import subprocess

from posthorn import build_directory

# Words of common/proc/evil.h and of what stands behind it.
WORDS = (b"POSTHORN_EVIL", b"evil_", b"posthorn-evil", b"exec-memory", b"evil: ")


def programs():
    """Those that `make install` puts somewhere, in a build tree or in a copy of one."""
    for path in sorted(build_directory().rglob("*")):
        if path.is_file() and "tests" not in path.relative_to(build_directory()).parts and path.read_bytes()[:4] == b"\x7fELF" and path.suffix != ".o":
            yield path


def holds(path, tmp_path):
    """Which of the words are in a program as it is installed (stripped), or among the names that it defines."""
    bare = tmp_path / "bare"
    subprocess.run(["strip", "-o", bare, path], check=True)
    names = subprocess.run(["nm", path], check=True, capture_output=True).stdout
    return [word for word in WORDS if word in bare.read_bytes() or word in names]


def test_nothing_evil_is_compiled_in(tmp_path):
    found = list(programs())
    assert len(found) >= 12, found
    assert [(path.name, held) for path in found if (held := holds(path, tmp_path))] == []
