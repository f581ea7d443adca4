"""What the disk says about a message whose recipients stand differently when everything died."""
import shutil

from client import send
from waiting import wait_for

RECIPIENTS = ["bob@local.test", "someone@far.test"]


def test_what_is_final_stays_final(posthorn, ledger, sink):
    """One recipient has its mail, the other waits: after a power failure only the second is tried, and the message ends."""
    mta = posthorn({"queue": {"retry": ["1h"]}})
    sink.on("RCPT", None, "450 4.2.1 come back later")
    name, content = ledger.message(3000)
    send(mta.trusted, "alice@local.test", RECIPIENTS, content)
    ledger.promise(name, RECIPIENTS)
    mta.wait_log("to=<bob@local.test>.*status=sent")        # logged when it is on disk
    mta.wait_log("to=<someone@far.test>.*status=deferred")
    mta.kill_all()
    sink.forget_rules()
    mta.restart()
    [message] = mta.queue()
    assert [r["address"] for r in message["recipients"] if r["state"] != "delivered"] == ["someone@far.test"]
    mta.posthorn("queue", "retry", "all")
    sink.wait(1)
    mta.wait_empty()
    ledger.check(ledger.look(mta.maildirs(), [sink]))


def test_held_mail_stays_held_without_a_catalog(posthorn, ledger, sink):
    """Files of the spool are older than the hold, the ring has forgotten it, and the catalog is gone: what an operator keeps stays."""
    mta = posthorn({"queue": {"retry": ["1h"], "ring-segments": 8, "segment-size": "1MiB"}})
    sink.on("RCPT", None, "450 4.2.1 come back later")

    def accept(recipient, size):
        name, content = ledger.message(size)
        send(mta.trusted, "alice@local.test", [recipient], content)
        ledger.promise(name, [recipient])

    def fill(messages=8):
        for _ in range(messages):
            accept("someone@far.test", 120000)

    for recipient in ("kept@far.test", "freed@far.test", "late@far.test"):
        accept(recipient, 3000)
    ids = {message["recipients"][0]["address"].split("@")[0]: message["queue_id"] for message in mta.queue()}
    wait_for(lambda: fill() or set(ids.values()) <= {path.name for path in (mta.directory / "queue/spool").glob("*/*")}, 60, "a full spool")
    for word, who in (("hold", "kept"), ("hold", "freed"), ("release", "freed")):
        mta.posthorn("queue", word, ids[who])
    fill(80)        # more than the ring holds
    mta.stop()
    shutil.rmtree(mta.directory / "queue/db")
    sink.forget_rules()
    mta.restart()
    mta.posthorn("queue", "retry", "all")
    wait_for(lambda: len(mta.queue()) == 1, 60, "the one that is held")
    [message] = mta.queue()
    assert (message["queue_id"], message["queue_name"]) == (ids["kept"], "hold")
    mta.posthorn("queue", "release", "all")
    mta.wait_empty()
    ledger.check(ledger.look(sinks=[sink]))
