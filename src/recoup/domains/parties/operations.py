"""Secrets of parties: phones and identity numbers, encrypted, found again by a keyed hash.

AES-256-GCM with a random nonce per value; HMAC-SHA256 over the normalised value under another key for search. Both
keys lie in one private file of the home folder; without it the database alone reveals nothing.
"""

import base64
import hmac
import json
import os
import secrets
from hashlib import blake2b
from typing import NamedTuple

import polars as pl
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from recoup.database.home import keep

KEY_FILE = "party_keys.json"

_NONCE_BYTES = 12
_SPACING = str.maketrans("", "", " \t-()+")


class Keys(NamedTuple):
    """The key that encrypts and the key that makes search hashes."""

    cipher: AESGCM
    search: bytes


def load_keys() -> Keys:
    """Return the keys of this installation, made at first use (mode 0600 in the home folder)."""
    kept = json.loads(keep(KEY_FILE, _make_keys))
    return Keys(AESGCM(base64.b64decode(kept["cipher"])), base64.b64decode(kept["search"]))


def _make_keys() -> str:
    return json.dumps({name: base64.b64encode(secrets.token_bytes(32)).decode() for name in ("cipher", "search")})


def encrypt(keys: Keys, purpose: str, text: str) -> bytes:
    """Encrypt a value: nonce, ciphertext and tag. `purpose` (phone, identity) is bound to it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + keys.cipher.encrypt(nonce, text.encode(), purpose.encode())


def decrypt(keys: Keys, purpose: str, sealed: bytes) -> str:
    """Decrypt a value; raise cryptography's InvalidTag when it, its purpose or the key is another."""
    return keys.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode()).decode()


def hash_for_search(keys: Keys, purpose: str, text: str) -> bytes:
    """Hash a value as written without spaces, dashes, brackets and plus signs, in capitals."""
    return hmac.digest(keys.search, f"{purpose}:{text.translate(_SPACING).upper()}".encode(), "sha256")


def seal(keys: Keys, purpose: str, texts: pl.Series) -> pl.DataFrame:
    """Seal a column: `<purpose>_cipher` and `<purpose>_hash` as hexadecimal text, null where there is nothing."""
    values = texts.to_list()
    return pl.DataFrame(
        {
            f"{purpose}_cipher": [v and encrypt(keys, purpose, v).hex() for v in values],
            f"{purpose}_hash": [v and hash_for_search(keys, purpose, v).hex() for v in values],
        },
        schema={f"{purpose}_cipher": pl.String, f"{purpose}_hash": pl.String},
    )


def key64(source: str, code: str) -> int:
    """The stable key of a party for draws and hashes: BLAKE2b of source system and code, signed 64 bits."""
    digest = blake2b(f"{source}\x1f{code}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def key64_all(source: str, codes: pl.Series) -> pl.Series:
    """`key64` of a column of codes."""
    return pl.Series("key64", [key64(source, code) for code in codes.to_list()], pl.Int64)
