"""TLS on the way out: with whoever offers it, whatever the certificate; and what a next hop may not get away with."""
import ssl

import pytest

from certificates import Authority
from client import send
from sink import Action


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """A certificate that nobody trusts, for another name."""
    chain, key = Authority(tmp_path_factory.mktemp("authority")).issue("sink", "unknown.example")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(chain, key)
    return made


def relay_one(mta, ledger, size=3000):
    content = ledger.message(size)[1]
    send(mta.trusted, "alice@local.test", ["someone@far.test"], content, timeout=120)
    return content


def relayed(transaction):
    return transaction.content[transaction.content.index(b"X-Ledger: "):]


def test_starttls_where_it_is_offered(mta, sink, ledger, context):
    sink.secure = context
    names = []
    context.sni_callback = lambda _, name, __: names.append(name)
    content = relay_one(mta, ledger)
    [got] = sink.wait(1)
    assert got.secure and got.extended and relayed(got) == content
    assert got.hello == "mx.test.example", "EHLO is said again behind STARTTLS"
    assert names == ["mx.far.test"]
    mta.wait_log(r"Untrusted TLS connection established to mx\.far\.test\[127\.0\.0\.1\]:\d+: TLSv1\.3 with cipher")
    mta.wait_empty()


def test_megabytes(mta, sink, ledger, context):
    sink.secure = context
    content = relay_one(mta, ledger, 8 << 20)
    [got] = sink.wait(1, 60)
    assert got.secure and relayed(got) == content


def test_several_messages_on_one_connection(mta, sink, ledger, context):
    sink.secure = context
    for _ in range(3):
        relay_one(mta, ledger)
    got = sink.wait(3)
    assert all(t.secure for t in got)
    mta.wait_empty()


def test_refused_starttls_is_no_reason_to_wait(mta, sink, ledger, context):
    sink.secure = context
    sink.on("STARTTLS", None, "454 4.7.0 not now")
    content = relay_one(mta, ledger)
    [got] = sink.wait(1)
    assert not got.secure and relayed(got) == content


def test_a_handshake_that_fails_is_tried_again_in_clear(mta, sink, ledger):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)       # without a certificate no handshake comes to its end
    sink.secure = old
    content = relay_one(mta, ledger)
    [got] = sink.wait(1)
    assert not got.secure and relayed(got) == content
    mta.wait_log(r"TLS with mx\.far\.test\[127\.0\.0\.1\]:\d+: ")
    mta.wait_log("again in clear")


def test_hanging_up_in_the_handshake_is_tried_again_in_clear(mta, sink, ledger, context):
    sink.secure = context
    sink.on("STARTTLS", None, Action.CLOSE, times=1)
    content = relay_one(mta, ledger)
    [got] = sink.wait(1)
    assert relayed(got) == content


def test_words_behind_220_end_the_conversation(mta, sink, ledger, context):
    """CVE-2021-38371: what is said in clear behind 220 must not be taken for what comes through TLS."""
    sink.secure = context
    sink.on("STARTTLS", None, lambda session, line: (session.out.append(b"220 go ahead\r\n"), "250 mx")[1], times=1)
    relay_one(mta, ledger)
    mta.wait_log("more than it was asked")


def test_not_when_switched_off(posthorn, sink, ledger, context):
    sink.secure = context
    mta = posthorn({"relay": {"opportunistic-tls": False}})
    relay_one(mta, ledger)
    [got] = sink.wait(1)
    assert not got.secure
