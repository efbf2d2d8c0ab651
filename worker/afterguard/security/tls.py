"""TLS: certificates from files, checked with words that name the setting, and renewed with them."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import structlog
from pydantic import SecretStr

from afterguard.contracts.errors import SettingsError
from afterguard.security.secret_files import secret
from afterguard.security.tls_settings import TlsSettings

_log = structlog.get_logger(__name__)

_OTHER_KEY: Final = "KEY_VALUES_MISMATCH"

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Whom to trust, and how to show who we are.

    Attributes:
        prefix: What the settings of these begin with, such as `kafka.ssl_`.
        ca_file: Certificates of those who sign servers; the system's when None.
        cert_file: Our own certificate, for servers that ask for one.
        key_file: Its key; in `cert_file` when None.
        key_password: Opens the key.
        key_password_file: Holds what opens the key.
        check_hostname: The server's certificate must be for the name that we connect to.
    """

    prefix: str
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: SecretStr | None = None
    key_password_file: Path | None = None
    check_hostname: bool = True

    @classmethod
    def of(cls, settings: TlsSettings, section: str) -> Self:
        """Those that a section of the settings names."""
        return cls(
            f"{section}.ssl_",
            settings.ssl_ca_file,
            settings.ssl_cert_file,
            settings.ssl_key_file,
            settings.ssl_key_password,
            settings.ssl_key_password_file,
            settings.ssl_check_hostname,
        )


class TlsContext(ssl.SSLContext):
    """A client's context that follows its files: each new connection uses what they hold by then.

    A certificate that is renewed on disk needs no restart. While the new files cannot be used, the
    old certificates stay in use, and a warning says which setting is at fault.

    Raises:
        SettingsError: The files cannot be used; names the setting.
    """

    def __new__(cls, _files: TlsFiles) -> Self:
        """Of the client's side."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, files: TlsFiles) -> None:
        self._files, self._stamp = files, _stamp(files)
        self._current = _loaded(files)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 (as the standard library has it)
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """See `ssl.SSLContext.wrap_bio`; an event loop calls it for each connection."""
        self._follow()
        return self._current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def _follow(self) -> None:
        stamp = _stamp(self._files)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._current = _loaded(self._files)
        except SettingsError as error:
            _log.warning("the renewed certificates cannot be used", problem=str(error))


def _stamp(files: TlsFiles) -> Stamp:
    return tuple(
        _state(file)
        for file in (files.ca_file, files.cert_file, files.key_file, files.key_password_file)
    )


def _state(file: Path | None) -> tuple[int, int, int] | None:
    if file is None:
        return None
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def _loaded(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context() if files.ca_file is None else _trusting(files)
    context.check_hostname = files.check_hostname
    if files.cert_file is not None:
        _show(context, files, files.cert_file)
    elif files.key_file is not None:
        raise SettingsError(
            [f"{files.prefix}cert_file: needed with {files.prefix}key_file={files.key_file}"]
        )
    return context


def _trusting(files: TlsFiles) -> ssl.SSLContext:
    setting = f"{files.prefix}ca_file"
    try:
        return ssl.create_default_context(cafile=str(files.ca_file))
    except ssl.SSLError:
        raise SettingsError([f"{setting}: {files.ca_file} holds no PEM certificate"]) from None
    except OSError as error:
        raise SettingsError(
            [f"{setting}: {files.ca_file} cannot be read: {error.strerror}"]
        ) from None


def _show(context: ssl.SSLContext, files: TlsFiles, cert: Path) -> None:
    for setting, file in (("cert_file", cert), ("key_file", files.key_file)):
        try:
            if file is not None:
                file.read_bytes()
        except OSError as error:
            raise SettingsError(
                [f"{files.prefix}{setting}: {file} cannot be read: {error.strerror}"]
            ) from None
    password = secret(files.key_password, files.key_password_file, f"{files.prefix}key_password")
    asked: list[bool] = []

    def answer() -> str:
        # Without one OpenSSL would ask at the terminal and wait.
        asked.append(True)
        return password or ""

    try:
        context.load_cert_chain(cert, files.key_file, answer)
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError([_fault(files, cert, error, password, encrypted=bool(asked))]) from None


def _fault(
    files: TlsFiles, cert: Path, error: Exception, password: str | None, *, encrypted: bool
) -> str:
    prefix, key = files.prefix, files.key_file or cert
    if getattr(error, "reason", None) == _OTHER_KEY:
        return f"{prefix}key_file: {key} is not the key of the certificate in {cert}"
    if encrypted and password is None:
        return f"{prefix}key_password (or …_file): needed, for {key} is encrypted"
    if encrypted:
        return f"{prefix}key_password (or …_file): does not open {key}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert)
    except ssl.SSLError:
        return f"{prefix}cert_file: {cert} holds no PEM certificate"
    return f"{prefix}key_file: {key} holds no PEM key"
