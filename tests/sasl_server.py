"""The broker's side of SASL, for tests: checks credentials, which the embedded broker does not.

PLAIN (RFC 4616), SCRAM (RFC 5802) and OAUTHBEARER (RFC 7628), each as Apache Kafka answers it.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Generator
from dataclasses import dataclass, field

_ROUNDS = 4_096
_SALT = b"of the tests"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")

Conversation = Generator[bytes, bytes, bytes]


class Refused(Exception):
    """The credentials are wrong."""


@dataclass
class Accounts:
    """Who may log in.

    Attributes:
        passwords: Of each user.
        tokens: Those that are valid now.
        logins: Who logged in, in order: the user, or the token.
    """

    passwords: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    logins: list[str] = field(default_factory=list)

    def conversation(self, mechanism: str) -> Conversation:
        """A log-in: is sent what the client says, yields what to answer, and returns the last.

        Raises:
            Refused: The credentials are wrong.
        """
        match mechanism:
            case "PLAIN":
                return self._plain()
            case "OAUTHBEARER":
                return self._bearer()
        return self._scram("sha256" if mechanism.endswith("256") else "sha512")

    def _plain(self) -> Conversation:
        _, user, password = (yield b"").decode().split("\0")
        if self.passwords.get(user) != password:
            raise Refused
        self.logins.append(user)
        return b""

    def _bearer(self) -> Conversation:
        said = (yield b"").decode()
        token = said.removeprefix("n,,\x01auth=Bearer ").removesuffix("\x01\x01")
        if token not in self.tokens:
            # Kafka answers without an error code, and refuses what comes next.
            _ = yield json.dumps({"status": "invalid_token"}).encode()
            raise Refused
        self.logins.append(token)
        return b""

    def _scram(self, digest: str) -> Conversation:
        bare = (yield b"").decode().removeprefix("n,,")
        told = dict(part.split("=", 1) for part in bare.split(","))
        nonce = told["r"] + "of-the-server"
        salt = base64.b64encode(_SALT).decode()
        first = f"r={nonce},s={salt},i={_ROUNDS}"
        final = (yield first.encode()).decode()
        without_proof, _, proof = final.rpartition(",p=")
        user = told["n"].replace("=2C", ",").replace("=3D", "=")
        password = self.passwords.get(user, "nobody has this one")
        salted = hashlib.pbkdf2_hmac(digest, password.encode(), _SALT, _ROUNDS)

        def mac(key: bytes, text: bytes) -> bytes:
            return hmac.new(key, text, digest).digest()

        said = f"{bare},{first},{without_proof}".encode()
        client_key = mac(salted, b"Client Key")
        signature = mac(hashlib.new(digest, client_key).digest(), said)
        right = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(right, base64.b64decode(proof)) or f"r={nonce}" not in final:
            raise Refused
        self.logins.append(user)
        return b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), said))
