"""What the tests of owned processes ask for: the fixtures of the system tests, and a posthorn whose processes are puppets."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from fixtures import dns, ledger, mta, posthorn, sink  # noqa: F401, E402 (pytest finds them by their names here)
