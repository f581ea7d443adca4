"""Mail that requires TLS (RFC 8689): what is offered, what a next hop has to be like, what its sender hears when it is not."""
import email
import email.policy
import smtplib
import ssl

import pytest

from certificates import Authority
from posthorn import HOSTNAME, merged

CONTENT = b"Message-Id: <required@local.test>\r\nSubject: secret\r\n\r\nthe body of it\r\n"
OPTIONAL = b"Message-Id: <optional@local.test>\r\nTLS-Required: No\r\n\r\nyour certificate has expired\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def fit(sink, authority):
    """The sink as a next hop that has all that it takes."""
    sink.secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sink.secure.load_cert_chain(*authority.issue("sink", "mx.far.test"))
    sink.secured_extensions = ["REQUIRETLS"]
    return sink


@pytest.fixture
def settings(authority, sink):
    """TLS at the trusted listener; all mail for others goes to the sink, by its name."""
    certificate, key = authority.issue("own", HOSTNAME)
    return {"tls own": {"certificate": [str(certificate)], "key": [str(key)]}, "listener trusted": {"tls": ["own"]}, "listener mx": {"tls": ["own"]},
            "relay": {"smart-host": f"[mx.far.test]:{sink.port}", "tls-authorities": str(authority.certificate)}}


def secured(mta):
    client = smtplib.SMTP(*mta.trusted, timeout=20)
    client.ehlo("client.example")
    assert client.has_extn("starttls") and not client.has_extn("requiretls")
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    client.starttls(context=made)
    client.ehlo("client.example")
    return client


def submit(mta, sender, to, content=CONTENT, options=("REQUIRETLS",)):
    with secured(mta) as client:
        assert client.has_extn("requiretls")
        client.sendmail(sender, to, content, mail_options=options)


def report(mail):
    """The fields about the first recipient, and the types of the parts."""
    parts = list(email.message_from_bytes(mail, policy=email.policy.default).iter_parts())
    return dict(parts[1].get_payload()[1].items()), [part.get_content_type() for part in parts]


def test_not_in_clear(mta):
    with smtplib.SMTP(*mta.trusted, timeout=20) as client:
        client.ehlo("client.example")
        assert not client.has_extn("requiretls")
        assert client.mail("alice@local.test", ["REQUIRETLS"])[0] == 555


def test_to_a_maildir(posthorn, settings):
    mta = posthorn(settings)
    submit(mta, "bob@local.test", ["alice@local.test"])
    [mail] = mta.wait_mails("alice")
    assert b"with ESMTPS id" in mail
    mta.wait_empty()


def test_it_is_passed_on(posthorn, settings, fit):
    mta = posthorn(settings)
    submit(mta, "alice@local.test", ["someone@far.test"])
    [got] = fit.wait(1)
    assert got.secure and got.mail_line.endswith(" REQUIRETLS") and got.content.endswith(CONTENT)
    mta.wait_log(r"Verified TLS connection established to mx\.far\.test\[127\.0\.0\.1\]:\d+: TLSv1\.3")
    mta.wait_empty()


def test_from_one_posthorn_to_the_next(posthorn, settings, authority, tmp_path, dns):
    ours = {"users": f"file:{tmp_path}/posthorn0/users", "maildir": f"{tmp_path}/posthorn0/mail/%u"}
    certificate, key = authority.issue("next", "mx.far.test")
    next_hop = posthorn(merged(settings, {"domain far.test": ours, "tls own": {"certificate": [str(certificate)], "key": [str(key)]}}))
    mta = posthorn(merged(settings, {"relay": {"smart-host": f"[mx.far.test]:{next_hop.mx[1]}"}}))
    submit(mta, "alice@local.test", ["bob@far.test"])
    [mail] = next_hop.wait_mails("bob")
    assert mail.count(b"with ESMTPS id") == 2
    mta.wait_empty()


def broken_offer(sink, authority):
    sink.secured_extensions = []


def broken_name(sink, authority):
    sink.secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sink.secure.load_cert_chain(*authority.issue("other", "mx.other.test"))


def broken_trust(sink, authority):
    sink.secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sink.secure.load_cert_chain(*Authority(authority.directory / "unknown").issue("sink", "mx.far.test"))


def broken_starttls(sink, authority):
    sink.secure = None


@pytest.mark.parametrize("break_it, status, words", [
    (broken_offer, "5.7.30", "does not offer REQUIRETLS"),
    (broken_name, "5.7.10", "hostname mismatch"),
    (broken_trust, "5.7.10", "self-signed certificate in certificate chain"),
    (broken_starttls, "5.7.10", "does not offer it"),
], ids=lambda value: getattr(value, "__name__", None))
def test_a_next_hop_that_is_not_fit(posthorn, settings, fit, authority, break_it, status, words):
    break_it(fit, authority)
    mta = posthorn(settings)
    submit(mta, "alice@local.test", ["someone@far.test"], options=["REQUIRETLS", "RET=FULL"])
    [mail] = mta.wait_mails("alice")
    fields, types = report(mail)
    assert (fields["Action"], fields["Status"]) == ("failed", status)
    assert words in " ".join(fields["Diagnostic-Code"].split())
    assert types[2] == "text/rfc822-headers" and b"the body of it" not in mail, "RET=FULL is disregarded"
    assert fit.transactions == []
    mta.wait_empty()


def test_mail_hosts_that_dns_names(posthorn, settings, fit):
    mta = posthorn(merged(settings, {"relay": {"smart-host": ""}}))
    submit(mta, "alice@local.test", ["someone@far.test"])
    [mail] = mta.wait_mails("alice")
    fields, _ = report(mail)
    assert fields["Status"] == "5.7.10"
    assert fit.sessions == [], "not even asked"
    mta.wait_log(r"dsn=5\.7\.10, status=bounced \(TLS is required, and nothing authenticates the name of the mail host\)")


def test_authorities_that_come_later(posthorn, settings, fit, authority, tmp_path):
    path = tmp_path / "authorities.pem"
    mta = posthorn(merged(settings, {"relay": {"tls-authorities": str(path)}}))
    assert "authorities.pem: No such file or directory; mail that requires TLS waits for them" in mta.words()
    submit(mta, "alice@local.test", ["someone@far.test"])
    mta.wait_log(r"dsn=4\.3\.5, status=deferred \(TLS is required, and there are no authorities")
    submit(mta, "alice@local.test", ["someone@far.test"], b"Subject: ordinary\r\n\r\nx\r\n", ())
    assert "REQUIRETLS" not in fit.wait(1)[0].mail_line
    path.write_text("nothing of use\n")
    mta.reload()
    mta.wait_log(r"tls-authorities .*authorities\.pem: there is no certificate in it")
    path.write_bytes(authority.certificate.read_bytes())
    mta.reload()
    assert fit.wait(2)[1].mail_line.endswith(" REQUIRETLS")
    mta.wait_empty()


def test_authorities_over_a_refused_reload(posthorn, settings, fit):
    """A relay that starts later gets them, whatever became of the last reload."""
    mta = posthorn(settings)
    mta.reload()
    mta.wait_log("in force")
    good = mta.conf.read_text()
    mta.conf.write_text(good + "\nrubbish {\n")
    mta.reload()
    mta.wait_log("reload refused")
    mta.conf.write_text(good)
    mta.kill_one("relay")
    submit(mta, "alice@local.test", ["someone@far.test"])
    [got] = fit.wait(1)
    assert got.secure and got.mail_line.endswith(" REQUIRETLS")
    mta.wait_empty()


def test_it_is_still_required_after_a_restart(posthorn, settings, fit):
    fit.on("MAIL", None, "451 4.3.0 later", times=1)
    mta = posthorn(merged(settings, {"queue": {"retry": ["2s"]}}))
    submit(mta, "alice@local.test", ["someone@far.test"])
    mta.wait_log("status=deferred")
    mta.stop()
    mta.restart()
    [got] = fit.wait(1)
    assert got.secure and got.mail_line.endswith(" REQUIRETLS")
    mta.wait_empty()


def test_a_notification_requires_it_too(posthorn, settings, fit):
    fit.on("RCPT", "nobody@", "550 5.1.1 no such user")
    mta = posthorn(settings)
    submit(mta, "someone@far.test", ["nobody@far.test"], options=["REQUIRETLS", "RET=FULL"])
    [got] = fit.wait(1)
    assert (got.sender, got.recipients) == ("", ["someone@far.test"])
    assert got.mail_line.endswith(" REQUIRETLS") and b"the body of it" not in got.content


def test_a_notification_is_not_lost_for_it(posthorn, settings, fit):
    fit.secured_extensions = []
    mta = posthorn(settings)
    submit(mta, "someone@far.test", ["other@far.test"])
    [got] = fit.wait(1)
    assert (got.sender, got.recipients) == ("", ["someone@far.test"])
    assert got.secure and "REQUIRETLS" not in got.mail_line and b"the body of it" not in got.content
    mta.wait_empty()


def test_tls_required_no(posthorn, settings, fit):
    """RFC 8689 4.2.2: TLS where it works, and else without."""
    mta = posthorn(settings)
    submit(mta, "alice@local.test", ["someone@far.test"], OPTIONAL, ())
    [got] = fit.wait(1)
    assert got.secure and got.content.endswith(OPTIONAL) and "REQUIRETLS" not in got.mail_line
    mta.wait_empty()


def test_tls_required_no_and_no_tls(posthorn, settings, fit):
    fit.secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)        # without a certificate no handshake comes to its end
    mta = posthorn(settings)
    submit(mta, "alice@local.test", ["someone@far.test"], OPTIONAL, ())
    [got] = fit.wait(1)
    assert not got.secure and got.content.endswith(OPTIONAL)
    mta.wait_empty()
