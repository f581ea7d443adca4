"""testssl.sh looks at the ports of an administrator: no old versions, no weak ciphers, forward secrecy, the whole chain."""
import json
import subprocess

import pytest

from logins import connect

PORTS = {"25": ("mx", True), "587": ("submission", True), "465": ("trusted", False)}
VERSIONS = {"SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered", "TLS1_2": "offered", "TLS1_3": "offered with final"}
WEAK = ("cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT", "cipherlist_LOW", "cipherlist_3DES_IDEA", "cipherlist_AVERAGE")
GOOD = {"PFS": "offered", "cert_trust": "Ok", "cert_chain_of_trust": "passed."}
BAD = ("HIGH", "CRITICAL", "FATAL")
# Of the certificate and not of the server: the test's authority answers no questions about revocation.
OURS = ("cert_revocation",)


def findings(address, starttls, authority, folder):
    """testssl.sh's findings: id -> (severity, text). A second certificate's ids would have a suffix; there is one."""
    out = folder / "findings.json"
    done = subprocess.run(["testssl", "--quiet", "--warnings", "batch", "--color", "0", "--nodns", "min", "--ip", "127.0.0.1", "--add-ca", authority.certificate,
                           "--jsonfile", out, "-p", "-s", "-f", "-S", *(("-t", "smtp") if starttls else ()), f"localhost:{address[1]}"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500, check=False, cwd=folder,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "dumb"})
    print(done.stdout[-8000:], done.stderr[-2000:])
    return {row["id"]: (row["severity"], row["finding"]) for row in json.loads(out.read_text())}


@pytest.mark.parametrize("port", PORTS)
def test_nothing_is_weak(served, authority, tmp_path, port):
    mta = served()
    connect(mta, authority).close()
    name, starttls = PORTS[port]
    found = findings(getattr(mta, name), starttls, authority, tmp_path)
    bad = {key: value for key, value in found.items() if value[0] in BAD and key not in OURS}
    assert bad == {}
    for key, text in {**VERSIONS, **GOOD}.items():
        assert found[key][1].startswith(text), (key, found[key])
    assert {key: found[key][1] for key in WEAK} == dict.fromkeys(WEAK, "not offered")
