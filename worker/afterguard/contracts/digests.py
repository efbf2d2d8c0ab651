"""Digests of texts, for keys, and for chance that falls alike whenever it is asked."""

from hashlib import blake2b


def digest_of(*parts: str, size: int, person: bytes = b"") -> bytes:
    """A digest of some texts in their order; none of them can run into the next.

    Args:
        parts: The texts.
        size: Length of the digest, bytes.
        person: What it is for; the same texts have another digest for each.
    """
    digest = blake2b(digest_size=size, person=person)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.digest()


def in_share(digest: bytes, share: float) -> bool:
    """Whether what has this digest is in the sample of that share.

    A larger share keeps all that a smaller one had.
    """
    return int.from_bytes(digest, "big") < share * (1 << 8 * len(digest))
