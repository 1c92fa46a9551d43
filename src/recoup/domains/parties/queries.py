"""Reads of parties; a secret is read in the open only by `reveal`, whose caller records why."""

from recoup.database.listing import Connection, Row, read_dicts
from recoup.domains.access.scope import Scope
from recoup.domains.parties.masking import mask_phone
from recoup.domains.parties.operations import decrypt, load_keys


def find_phones(connection: Connection, scope: Scope, account_id: int) -> dict[int, str]:
    """The masked phones of an account's parties, by party."""
    keys = load_keys()
    return {
        row["party_id"]: mask_phone(decrypt(keys, "phone", bytes(row["phone_cipher"]))) or ""
        for row in _read_secrets(connection, scope, account_id)
        if row["phone_cipher"]
    }


def reveal(connection: Connection, scope: Scope, account_id: int) -> dict[int, Row]:
    """Name, phone and identity number of an account's parties in the open, by party. Record it before showing it."""
    keys = load_keys()
    return {
        row["party_id"]: {
            "name": row["name"],
            "address": row["address"],
            "phone": decrypt(keys, "phone", bytes(row["phone_cipher"])) if row["phone_cipher"] else None,
            "identity": decrypt(keys, "identity", bytes(row["identity_cipher"])) if row["identity_cipher"] else None,
        }
        for row in _read_secrets(connection, scope, account_id)
    }


def _read_secrets(connection: Connection, scope: Scope, account_id: int) -> list[Row]:
    where, parameters = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"""
        SELECT p.party_id, p.name, a.address, s.phone_cipher, s.identity_cipher
        FROM contract c JOIN account a USING (account_id) JOIN party p USING (party_id)
        LEFT JOIN party_secret s USING (party_id) WHERE c.account_id = %s AND {where}
        """,
        [account_id, *parameters],
    )
