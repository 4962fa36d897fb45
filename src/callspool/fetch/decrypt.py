"""Decrypt a recording while it comes: AES-256-GCM, its key wrapped by RSA-OAEP for one of the account's private keys.

The provider appends the tag to the body, so the last 16 bytes are held back until the end is known. What came
before the tag was checked must not be kept: `finish` says whether it may.
"""

from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason
from callspool.domain.recording import Encryption
from callspool.domain.tenant import Account

TAG_BYTES: Final = 16

_OAEP: Final = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)


class Decryptor:
    """One body, from its start. A download that begins again needs another one."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._decryptor = Cipher(AES(key), GCM(iv)).decryptor()
        self._tail = b""

    def feed(self, piece: bytes | memoryview) -> bytes:
        """Return what is decrypted by now. Not proven before `finish`."""
        data = self._tail + piece
        self._tail = data[-TAG_BYTES:]
        return self._decryptor.update(data[:-TAG_BYTES])

    def finish(self) -> None:
        """Check the tag. Raises `FetchFailed`: none of the body can be trusted."""
        try:
            self._decryptor.finalize_with_tag(self._tail)
        except (InvalidTag, ValueError):
            raise FetchFailed(Reason.UNDECRYPTABLE, "the tag at its end is not the one of its bytes") from None


def unwrap_key(encryption: Encryption, account: Account) -> bytes:
    """Return the key of a recording. Raises `FetchFailed` where the account's private keys do not open it."""
    pem = next((key.pem for key in account.private_keys if key.sid == encryption.key_sid), None)
    if pem is None:
        raise FetchFailed(Reason.NO_PRIVATE_KEY, f"encrypted with {encryption.key_sid}")
    try:
        private = load_pem_private_key(pem.encode(), None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise ValueError("not an RSA key")
        key = private.decrypt(encryption.wrapped_key, _OAEP)
        Cipher(AES(key), GCM(encryption.iv))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FetchFailed(
            Reason.UNDECRYPTABLE, f"the private key for {encryption.key_sid} does not open the recording's key"
        ) from None
    return key
