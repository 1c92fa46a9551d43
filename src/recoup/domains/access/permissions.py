"""What each role may do: one small table, asked by the pages and again by the operations."""

from collections.abc import Mapping

from recoup.domains.access.models import Role, Staff

VIEW = "view"
REVEAL = "reveal"
EXPORT = "export"
RECORD_OUTCOME = "record_outcome"
LOAD = "load"
SIGN = "sign"
SET_TARGET = "set_target"
SEE_AUDIT = "see_audit"
MANAGE_STAFF = "manage_staff"

_READS = frozenset({VIEW, REVEAL, EXPORT})

CAPABILITIES: Mapping[str, frozenset[str]] = {
    Role.ADMIN: _READS | {LOAD, SIGN, SET_TARGET, SEE_AUDIT, MANAGE_STAFF, RECORD_OUTCOME},
    Role.MANAGER: _READS | {SIGN, SET_TARGET, SEE_AUDIT, RECORD_OUTCOME},
    Role.CLERK: _READS | {LOAD, RECORD_OUTCOME},
    Role.COLLECTOR: _READS | {RECORD_OUTCOME},
    Role.AUDITOR: _READS | {SEE_AUDIT},
}
# What leaves the book as it is; a role that has nothing else never writes.
HARMLESS = _READS | {SEE_AUDIT}


class NotPermitted(Exception):
    """The role does not include this; the message says whom to ask."""

    def __init__(self, staff: Staff, capability: str) -> None:
        self.capability = capability
        allowed = ", ".join(role for role, held in CAPABILITIES.items() if capability in held)
        super().__init__(f"{staff.username} ({staff.role}) may not do this ({capability}): ask one of: {allowed}")


def may(staff: Staff, capability: str) -> bool:
    """Whether the role of an active person includes a capability."""
    return staff.is_active and capability in CAPABILITIES.get(staff.role, frozenset())


def may_write(staff: Staff) -> bool:
    """Whether the role includes anything that changes the book; an auditor's does not."""
    return staff.is_active and bool(CAPABILITIES.get(staff.role, frozenset()) - HARMLESS)


def require(staff: Staff, capability: str) -> None:
    """Raise NotPermitted unless the person may; every operation asks it, whatever page it came from."""
    if not may(staff, capability):
        raise NotPermitted(staff, capability)
