"""More mail than the ring holds: it leaves for the spool, or waits outside with 452; what is inside goes on moving."""
from client import Client, send
from waiting import wait_for

SMALL = {"queue": {"ring-segments": 8, "segment-size": "1MiB", "retry": ["1h"]}}


def fill(mta, ledger, recipient, most=200):
    """Sends more than the ring holds, or until 452; returns the names of what was taken."""
    taken = []
    with Client(mta.trusted) as client:
        client.hello()
        for _ in range(most):
            name, content = ledger.message(60000)
            replies = client.transaction("alice@local.test", [recipient], content)
            if replies[-1].code != 250:
                refused = [r for r in replies if r.code >= 400][0]
                assert (refused.code, refused.status) == (452, "4.3.1"), refused
                return taken
            ledger.promise(name, [recipient])
            taken.append(name)
    return taken


def test_more_than_the_ring_holds(posthorn, ledger, sink):
    mta = posthorn(SMALL)
    sink.on("RCPT", None, "450 4.2.1 later")
    taken = fill(mta, ledger, "someone@far.test")
    assert len(taken) > 20
    sink.forget_rules()
    mta.posthorn("queue", "retry", "all")
    sink.wait(len(taken), 60)
    mta.wait_empty(60)
    ledger.check(ledger.look(sinks=[sink]))
    wait_for(lambda: room(mta), 30, "room again")
    name, content = ledger.message()
    assert send(mta.trusted, "alice@local.test", ["someone@far.test"], content).code == 250


def room(mta):
    with Client(mta.trusted) as client:
        client.hello()
        return client.command("MAIL FROM:<alice@local.test>").code == 250


def test_a_full_ring_starts_again(posthorn, ledger, sink):
    mta = posthorn(SMALL)
    sink.on("RCPT", None, "450 4.2.1 later")
    taken = fill(mta, ledger, "someone@far.test")
    mta.kill_all()
    sink.forget_rules()
    mta.restart()
    assert len(mta.queue()) <= len(taken) + 1
    mta.posthorn("queue", "retry", "all")
    sink.wait(len(taken), 60)
    mta.wait_empty(60)
    ledger.check(ledger.look(sinks=[sink]))


def test_waiting_mail_does_not_stop_the_ring(posthorn, ledger, sink):
    """A few messages that wait for hours must not keep the ring from turning under them."""
    mta = posthorn(SMALL)
    sink.on("RCPT", "late@", "450 4.2.1 later")
    for _ in range(3):
        name, content = ledger.message(20000)
        send(mta.trusted, "alice@local.test", ["late@far.test"], content)
        ledger.promise(name, ["late@far.test"])
    mta.wait_log("status=deferred", count=3)
    with Client(mta.trusted) as client:
        client.hello()
        for _ in range(300):                # 18 MB through a ring of 8 MiB
            name, content = ledger.message(60000)

            def accepted(content=content):
                return client.transaction("alice@local.test", ["bob@local.test"], content)[-1].code == 250

            wait_for(accepted, 30, "room for the next message")
            ledger.promise(name, ["bob@local.test"])
    mta.wait_mails("bob", 300, 60)
    sink.forget_rules()
    mta.posthorn("queue", "retry", "all")
    sink.wait(3, 30)
    mta.wait_empty(60)
    ledger.check(ledger.look(mta.maildirs(), [sink]))
