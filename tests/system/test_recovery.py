"""What the disk says about a message whose recipients stand differently when everything died."""
from client import send

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
