"""certificates — an authority of the test's own, and certificates that it signs; made by openssl(1), which posthorn does not need."""
import pathlib
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


class Authority:
    def __init__(self, directory, days=2):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / "authority.pem"
        self.key = self.directory / "authority.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days, "-subj", "/CN=test authority",
                "-keyout", self.key, "-out", self.certificate)

    def issue(self, label, *names, kind="ec", days=2):
        """Files (certificate with its authority behind it, key) for these host names, kind "ec" or "rsa"; an old pair of this label is replaced."""
        key, request, chain = (self.directory / f"{label}.{end}" for end in ("key", "csr", "pem"))
        how = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", "-newkey", *how, "-nodes", "-subj", f"/CN={names[0]}", "-keyout", key, "-out", request)
        extensions = self.directory / f"{label}.ext"
        extensions.write_text("subjectAltName=" + ",".join("DNS:" + name for name in names) + "\n")
        leaf = self.directory / f"{label}.leaf"
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", days,
                "-extfile", extensions, "-out", leaf)
        chain.write_text(leaf.read_text() + self.certificate.read_text())
        return chain, key
