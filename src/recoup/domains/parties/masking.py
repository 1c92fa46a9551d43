"""What of a person is shown by default. Masking what is masked changes nothing, so it may be done at every door.

A firm's name is public and stays; a person's name keeps its first and last character, a phone its first three and
last four digits, an address loses the numbers of house, flat and floor.
"""

import re

MASK = "*"
_DIGITS = re.compile(r"[0-9０-９]+")
_SHOWN_HEAD, _SHOWN_TAIL = 3, 4


def mask_name(name: str | None, kind: str = "PERSON") -> str | None:
    """A person's name as 王*英 or 王*; of several words each by itself; a firm's name as it is."""
    if not name or kind != "PERSON":
        return name
    return " ".join(_mask_word(word) for word in name.split())


def _mask_word(word: str) -> str:
    if len(word) <= 1:
        return MASK
    return f"{word[0]}{MASK}" if len(word) == 2 else f"{word[0]}{MASK * min(len(word) - 2, 4)}{word[-1]}"


def mask_phone(phone: str | None) -> str | None:
    """A phone as 138****1234; one too short for that is hidden whole."""
    if not phone:
        return phone
    if len(phone) <= _SHOWN_HEAD + _SHOWN_TAIL:
        return MASK * len(phone)
    return f"{phone[:_SHOWN_HEAD]}{MASK * (len(phone) - _SHOWN_HEAD - _SHOWN_TAIL)}{phone[-_SHOWN_TAIL:]}"


def mask_address(address: str | None) -> str | None:
    """An address without its numbers: 望海路**号海晏小区**号楼."""
    return _DIGITS.sub(MASK * 2, address) if address else address
