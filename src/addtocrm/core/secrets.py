"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key file beside the database.

A sealed secret is: version (1 byte), key id (8 bytes), nonce (12 bytes), ciphertext with its tag. The file has a
base64 key of 32 bytes on each line, the newest first: that one seals, every one opens.
"""

import base64
import binascii
import fcntl
import hashlib
import os
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE = "secret.key"
VERSION = b"\x01"
KEY_BYTES = 32
ID_BYTES = 8
NONCE_BYTES = 12


class SecretError(Exception):
    """A secret cannot be sealed or opened; the message says why and holds no secret."""


class UnreadableError(SecretError):
    """The key file cannot be read or made on this host, which says nothing of what it would open."""


def seal(data_dir: Path, secret: str, purpose: str) -> bytes:
    """`secret` encrypted. It opens only with the same `purpose` (such as whose it is). Makes the key file. Raises
    SecretError."""
    key = _keys(data_dir)[0]
    nonce = os.urandom(NONCE_BYTES)
    return VERSION + _id(key) + nonce + AESGCM(key).encrypt(nonce, secret.encode(), purpose.encode())


def unseal(data_dir: Path, sealed: bytes, purpose: str) -> str:
    """The secret that `seal` was given. Raises SecretError."""
    id, nonce, body = (
        sealed[1 : 1 + ID_BYTES],
        sealed[1 + ID_BYTES :][:NONCE_BYTES],
        sealed[1 + ID_BYTES + NONCE_BYTES :],
    )
    key = next((one for one in _read(data_dir / FILE) if _id(one) == id), None)
    if sealed[:1] != VERSION or key is None:
        raise SecretError(f"The key of this secret is not in {data_dir / FILE}; restore that file, or reconnect.")
    try:
        return AESGCM(key).decrypt(nonce, body, purpose.encode()).decode()
    except InvalidTag:
        raise SecretError("A stored secret was changed, or belongs to another account; reconnect.") from None


def rotate(data_dir: Path) -> None:
    """Puts a new key first in the file; what older ones sealed still opens."""
    _keys(data_dir)
    folder = os.open(data_dir, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # Two at once would lose the key of one.
        keys = [AESGCM.generate_key(KEY_BYTES * 8), *_read(data_dir / FILE)]
        _written(data_dir, keys).replace(data_dir / FILE)
    finally:
        os.close(folder)


def _keys(data_dir: Path) -> list[bytes]:
    """The keys, of which there is at least one: the file is made where it is missing. Raises SecretError."""
    file = data_dir / FILE
    try:
        if not file.exists():
            _make(file)
    except OSError as error:
        raise UnreadableError(f"{file} cannot be made: {error.strerror}.") from None
    return _read(file)


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = _written(file.parent, [AESGCM.generate_key(KEY_BYTES * 8)])
    try:
        # A link fails where another process made the file first; its key is the one, then.
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink()


def _read(file: Path) -> list[bytes]:
    """The keys in the file; none where there is no file. Raises SecretError."""
    try:
        keys = [base64.b64decode(line, validate=True) for line in file.read_bytes().split()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnreadableError(
            f"{file} cannot be read: {error.strerror}. Make it a file that the user of AddToCRM may read."
        ) from None
    except binascii.Error:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise SecretError(f"{file} is damaged; restore it from a backup, or remove it and connect every CRM again.")
    return keys


def _written(data_dir: Path, keys: list[bytes]) -> Path:
    """A temporary file with the keys, on the disk, readable by its owner alone (mkstemp gives 0600)."""
    handle, name = tempfile.mkstemp(prefix=FILE, dir=data_dir)
    with os.fdopen(handle, "wb") as file:
        file.write(b"".join(base64.b64encode(key) + b"\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:ID_BYTES]
