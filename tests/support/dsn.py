"""dsn — takes a delivery status notification apart (RFC 3464) and checks its form on the way."""
import email
import email.policy


class Dsn:
    def __init__(self, mail):
        self.mail = email.message_from_bytes(mail, policy=email.policy.default)
        assert self.mail.get_content_type() == "multipart/report", self.mail.get_content_type()
        assert self.mail["Content-Type"].params["report-type"] == "delivery-status"
        parts = list(self.mail.iter_parts())
        assert [p.get_content_type() for p in parts[:2]] == ["text/plain", "message/delivery-status"]
        assert parts[2].get_content_type() in ("text/rfc822-headers", "message/rfc822"), parts[2].get_content_type()
        self.text = parts[0].get_content()
        groups = [dict(group.items()) for group in parts[1].get_payload()]
        self.message, self.recipients = groups[0], [g for g in groups[1:] if g]
        self.original = parts[2].as_string()
        assert self.message["Reporting-MTA"].startswith("dns; "), self.message

    def recipient(self, address):
        """The fields about one recipient."""
        for group in self.recipients:
            if group["Final-Recipient"].partition(";")[2].strip() == address:
                return group
        raise AssertionError(f"{address} is not among {self.recipients}")


def find(mails):
    """The notifications among some messages."""
    return [Dsn(mail) for mail in mails if b"multipart/report" in mail]
