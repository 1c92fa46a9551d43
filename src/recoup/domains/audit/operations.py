"""Writing down what a person did."""

from collections.abc import Mapping
from typing import Any

from recoup.domains.access.models import Staff
from recoup.domains.audit.models import AuditEvent

# Kinds of act. A kind of another room is a word of its own; these are the console's.
SIGN_IN = "SIGN_IN"
SIGN_IN_REFUSED = "SIGN_IN_REFUSED"
SIGN_OUT = "SIGN_OUT"
REVEAL = "REVEAL"
EXPORT = "EXPORT"
STAFF = "STAFF"
REFUSED = "REFUSED"


def record(
    staff: Staff | None, kind: str, subject: str, reason: str = "", detail: Mapping[str, Any] | None = None
) -> None:
    """Append an act, in the transaction of the caller where there is one. `staff` None: nobody was signed in."""
    AuditEvent.objects.create(
        staff_id=staff.pk if staff else None,
        username=staff.username if staff else "",
        org_unit=staff.org_unit if staff else None,
        kind=kind,
        subject=subject,
        reason=reason,
        detail=dict(detail or {}),
    )
