"""A proxy in front: its header says who the client is, whose rights are those of its own address."""
import socket
import struct

import pytest

from client import Client, Closed

PROXY = "127.0.0.9"
SETTINGS = {"listener mx": {"proxy": [PROXY]}, "listener trusted": {"proxy": [PROXY]}}


def line(client):
    return f"PROXY TCP4 {client} 127.0.0.1 40000 25\r\n".encode()


def binary(client, extension=b"\x03\x00\x04\x00\x00\x00\x00"):
    block = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 40000, 25) + extension
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(block)) + block


def rcpt_codes(address, header, source=PROXY):
    """The codes of a local and of a remote recipient."""
    with Client(address, source=source, greet=False) as client:
        for part in (header[:10], header[10:]):
            client.send(part)
        assert client.reply().code == 220
        client.hello()
        assert client.command("MAIL FROM:<a@example.org>").code == 250
        return [client.command(f"RCPT TO:<{r}>").code for r in ("alice@local.test", "someone@far.test")]


@pytest.mark.parametrize("header", [line, binary], ids=["v1", "v2"])
def test_rights_are_the_clients(posthorn, header):
    mta = posthorn(SETTINGS)
    assert rcpt_codes(mta.trusted, header("127.0.0.77")) == [250, 250]
    assert rcpt_codes(mta.trusted, header("192.0.2.1")) == [250, 554]
    assert rcpt_codes(mta.mx, header("192.0.2.2")) == [250, 554]
    assert rcpt_codes(mta.mx, header("127.0.0.78")) == [250, 554]
    assert rcpt_codes(mta.trusted, b"PROXY UNKNOWN\r\n") == [250, 554]
    for client in ("127.0.0.77", "192.0.2.1", "192.0.2.2", "127.0.0.78"):
        mta.wait_log(rf"smtpd\[\d+\]: connect from unknown\[{client}\]")


def test_others_are_no_proxies(posthorn):
    mta = posthorn(SETTINGS)
    with Client(mta.trusted, source=PROXY, greet=False) as client:
        client.send(b"EHLO x\r\n")
        with pytest.raises(Closed):
            client.reply()
    with Client(mta.trusted, source="127.0.0.10") as client:
        assert client.command(line("192.0.2.1").decode().strip()).code == 500
    mta.wait_log(r"proxy \[127\.0\.0\.9\]: no PROXY header")


def test_xclient(posthorn):
    """A test or a proxy that is listed and trusted comes to a trusted worker, whichever port it takes, and has the other's rights there."""
    mta = posthorn({"smtpd": {"xclient-networks": ["127.0.0.8"]}})
    for address in (mta.mx, mta.trusted):
        with Client(address, source="127.0.0.8") as client:
            assert "XCLIENT NAME ADDR PORT PROTO HELO" in client.hello().lines
            for other, code in (("192.0.2.1", 554), ("127.0.0.77", 250)):
                assert client.command(f"XCLIENT NAME=x.example.org ADDR={other}").code == 220
                client.hello()
                assert client.command("MAIL FROM:<a@example.org>").code == 250
                assert client.command("RCPT TO:<someone@far.test>").code == code
                assert client.command("RSET").code == 250
    with Client(mta.trusted, source="127.0.0.10") as client:
        assert client.command("XCLIENT ADDR=127.0.0.77").code == 550
    mta.wait_log(r"reject: RCPT from x\.example\.org\[192\.0\.2\.1\]: 554 5\.7\.1")
