"""Keys for the lab: made when first asked for, and shared by all who draw from one pool."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

__all__ = ["POOL", "KeyPool"]

_BITS: Final = 2048
_EXPONENT: Final = 65537


class KeyPool:
    """Keys by number. Two numbers never have the same key; a key is made once per process.

    Whoever draws numbers from 0 on shares the waiting with all others that do. RSA keys have 2048
    bits, because OpenSSL refuses less for TLS; EC keys are on P-384, which is the lab's choice.
    Each kind is numbered by itself.
    """

    def __init__(self) -> None:
        self._keys: list[rsa.RSAPrivateKey] = []
        self._sized: dict[tuple[int, int], rsa.RSAPrivateKey] = {}
        self._ec_keys: list[ec.EllipticCurvePrivateKey] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, number: int) -> rsa.RSAPrivateKey:
        """The RSA key with that number."""
        with self._lock:
            while len(self._keys) <= number:
                self._keys.append(rsa.generate_private_key(_EXPONENT, _BITS))
            return self._keys[number]

    def draw(self) -> Iterator[rsa.RSAPrivateKey]:
        """All RSA keys in order, without end."""
        number = 0
        while True:
            yield self.key(number)
            number += 1

    def sized_key(self, number: int, bits: int) -> rsa.RSAPrivateKey:
        """The RSA key of *bits* bits with that number; each size is numbered by itself.

        One of less than 2048 bits is for looking at: nothing can be presented with it.
        """
        with self._lock:
            found = self._sized.get((bits, number))
            if found is None:
                made = rsa.generate_private_key(_EXPONENT, bits)
                found = self._sized[bits, number] = made
            return found

    def ec_key(self, number: int) -> ec.EllipticCurvePrivateKey:
        """The EC key with that number."""
        with self._lock:
            while len(self._ec_keys) <= number:
                self._ec_keys.append(ec.generate_private_key(ec.SECP384R1()))
            return self._ec_keys[number]

    def draw_ec(self) -> Iterator[ec.EllipticCurvePrivateKey]:
        """All EC keys in order, without end."""
        number = 0
        while True:
            yield self.ec_key(number)
            number += 1


POOL: Final = KeyPool()
"""The pool of this process. Its keys protect nothing: never use them outside the lab."""
