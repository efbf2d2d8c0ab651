"""Certificates: each fault names its setting, and renewed files are followed."""

import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from tests.certificates import Authority

from afterguard.contracts.errors import SettingsError
from afterguard.security.tls import TlsContext, TlsFiles


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def agreed(client: ssl.SSLContext, server: ssl.SSLContext, name: str = "localhost") -> bytes | None:
    """Shake hands in memory; gives the certificate that the client showed.

    Raises:
        SSLError: They do not agree.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    sides = [ours, theirs]
    for _ in range(6):
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not sides
    return theirs.getpeercert(binary_form=True)


def files(**given: Any) -> TlsFiles:
    return TlsFiles(prefix="kafka.ssl_", **given)


def test_both_sides_agree_and_ours_is_shown(authority: Authority) -> None:
    ours = authority.client(password="opens it")
    context = TlsContext(
        files(
            ca_file=authority.ca_file,
            cert_file=ours.cert,
            key_file=ours.key,
            key_password=SecretStr("opens it"),
        )
    )
    assert agreed(context, authority.server(asks=True)) is not None


def test_nothing_older_than_tls_1_2_is_spoken(authority: Authority) -> None:
    server = authority.server()
    server.options |= ssl.OP_NO_TLSv1_3 | ssl.OP_NO_TLSv1_2
    with pytest.raises(ssl.SSLError):
        agreed(TlsContext(files(ca_file=authority.ca_file)), server)


def test_without_looking_at_names_the_signature_is_looked_at_all_the_same(
    authority: Authority, tmp_path: Path
) -> None:
    context = TlsContext(files(ca_file=authority.ca_file, check_hostname=False))
    agreed(context, authority.server("elsewhere.example"))
    with pytest.raises(ssl.SSLCertVerificationError):
        agreed(context, Authority(tmp_path, "foreign").server())


def test_a_renewed_certificate_is_shown_by_the_next_connection(authority: Authority) -> None:
    ours, server = authority.client(), authority.server(asks=True)
    context = TlsContext(files(ca_file=authority.ca_file, cert_file=ours.cert, key_file=ours.key))
    first = agreed(context, server)
    assert agreed(context, server) == first
    authority.client()
    assert agreed(context, server) != first


def test_a_renewed_authority_replaces_the_old_one(authority: Authority, tmp_path: Path) -> None:
    context = TlsContext(files(ca_file=authority.ca_file))
    agreed(context, authority.server())
    successor = Authority(tmp_path, "successor")
    shutil.copy(successor.ca_file, authority.ca_file)
    agreed(context, successor.server())
    with pytest.raises(ssl.SSLCertVerificationError):
        agreed(context, authority.server())


def test_files_that_are_half_renewed_leave_the_old_ones_in_use(authority: Authority) -> None:
    ours, server = authority.client(), authority.server(asks=True)
    old_key = ours.key.read_bytes()
    context = TlsContext(files(ca_file=authority.ca_file, cert_file=ours.cert, key_file=ours.key))
    first = agreed(context, server)
    authority.client()
    new_key = ours.key.read_bytes()
    ours.key.write_bytes(old_key)  # a new certificate beside the old key
    with structlog.testing.capture_logs() as logs:
        assert agreed(context, server) == first
        assert agreed(context, server) == first
    assert len(logs) == 1
    assert "kafka.ssl_key_file" in logs[0]["problem"]
    ours.key.write_bytes(new_key)
    assert agreed(context, server) != first


def test_each_fault_names_its_setting(authority: Authority, tmp_path: Path) -> None:
    ours, other = authority.client(), authority.client("other")
    closed = authority.client("closed", password="right")
    nothing, nonsense = tmp_path / "nothing", tmp_path / "nonsense"
    nonsense.write_text("no PEM at all")
    faults: dict[str, dict[str, Any]] = {
        f"kafka.ssl_ca_file: {nothing} cannot be read: No such file": {"ca_file": nothing},
        f"kafka.ssl_ca_file: {nonsense} holds no PEM certificate": {"ca_file": nonsense},
        f"kafka.ssl_cert_file: {nothing} cannot be read": {"cert_file": nothing},
        f"kafka.ssl_key_file: {nothing} cannot be read": {
            "cert_file": ours.cert,
            "key_file": nothing,
        },
        f"kafka.ssl_cert_file: needed with kafka.ssl_key_file={ours.key}": {"key_file": ours.key},
        f"kafka.ssl_cert_file: {nonsense} holds no PEM certificate": {"cert_file": nonsense},
        f"kafka.ssl_key_file: {nonsense} holds no PEM key": {
            "cert_file": ours.cert,
            "key_file": nonsense,
        },
        f"kafka.ssl_key_file: {ours.cert} holds no PEM key": {"cert_file": ours.cert},
        f"kafka.ssl_key_file: {other.key} is not the key of the certificate in {ours.cert}": {
            "cert_file": ours.cert,
            "key_file": other.key,
        },
        f"kafka.ssl_key_password (or …_file): needed, for {closed.key} is encrypted": {
            "cert_file": closed.cert,
            "key_file": closed.key,
        },
        f"kafka.ssl_key_password (or …_file): does not open {closed.key}": {
            "cert_file": closed.cert,
            "key_file": closed.key,
            "key_password": SecretStr("wrong"),
        },
        f"kafka.ssl_key_password_file: {nothing} cannot be read": {
            "cert_file": closed.cert,
            "key_file": closed.key,
            "key_password_file": nothing,
        },
    }
    for line, given in faults.items():
        with pytest.raises(SettingsError) as raised:
            TlsContext(files(**given))
        assert raised.value.problems[0].startswith(line)
