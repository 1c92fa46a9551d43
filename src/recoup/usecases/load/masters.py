"""Targets of master data: units, parties, accounts, contracts, services, installations."""

import polars as pl

from recoup.domains.parties.operations import key64_all, load_keys, seal
from recoup.usecases.load.targets import FOUND_CONTRACT, Context, Reference, Target

ORG_UNITS = Target(
    entity="org_units",
    key=("code",),
    payload=("name", "kind", "parent"),
    known="(SELECT *, 1 AS version FROM org_unit)",
    shown="(SELECT *, 1 AS version FROM org_unit)",
    references=(
        Reference(
            "parent",
            "UNKNOWN_ORG_UNIT",
            "(s.parent IS NULL OR EXISTS (SELECT 1 FROM org_unit u WHERE u.code = s.parent) "
            "OR EXISTS (SELECT 1 FROM staged u WHERE u.code = s.parent))",
        ),
    ),
    inserts=(
        """
        INSERT INTO org_unit (code, name, kind, parent, content_hash, load_id)
        SELECT code, name, kind, parent, {hash}, %(load)s FROM {rows} s
        WHERE s.parent IS NULL OR EXISTS (SELECT 1 FROM org_unit u WHERE u.code = s.parent)
           OR EXISTS (SELECT 1 FROM staged u WHERE u.code = s.parent)
        """,
    ),
)


def _seal_secrets(rows: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Encrypt phones and identity numbers before they leave this process; add the party's key64."""
    keys = context.keys or load_keys()
    return (
        rows.hstack(seal(keys, "phone", rows["phone"]))
        .hstack(seal(keys, "identity", rows["id_no"]))
        .with_columns(key64_all(context.source, rows["code"]))
    )


_PARTY_SHOWN = """
    (SELECT p.*, 1 AS version, encode(x.phone_hash, 'hex') AS phone_hash,
            encode(x.identity_hash, 'hex') AS identity_hash
     FROM party p LEFT JOIN party_secret x USING (party_id))
"""

PARTIES = Target(
    entity="parties",
    key=("code",),
    payload=("name", "kind", "phone_hash", "identity_hash"),
    known="(SELECT *, 1 AS version FROM party)",
    shown=_PARTY_SHOWN,
    columns={
        "code": "text",
        "key64": "bigint",
        "name": "text",
        "kind": "text",
        "phone_cipher": "text",
        "phone_hash": "text",
        "identity_cipher": "text",
        "identity_hash": "text",
        "as_of": "timestamptz",
        "supersedes": "text",
    },
    prepare=_seal_secrets,
    inserts=(
        """
        INSERT INTO party (key64, code, kind, name, content_hash, load_id)
        SELECT key64, code, kind, name, {hash}, %(load)s FROM {rows} s
        """,
        """
        INSERT INTO party_secret (party_id, phone_cipher, phone_hash, identity_cipher, identity_hash)
        SELECT p.party_id, decode(phone_cipher, 'hex'), decode(phone_hash, 'hex'), decode(identity_cipher, 'hex'),
               decode(identity_hash, 'hex')
        FROM {rows} s JOIN party p ON p.code = s.code
        WHERE s.phone_hash IS NOT NULL OR s.identity_hash IS NOT NULL
        """,
    ),
)

ACCOUNTS = Target(
    entity="accounts",
    key=("account_no",),
    payload=("old_account_no", "premise", "address", "org_unit", "route", "reading_day"),
    known="(SELECT *, 1 AS version FROM account)",
    shown="(SELECT *, 1 AS version FROM account)",
    references=(
        Reference("org_unit", "UNKNOWN_ORG_UNIT", "EXISTS (SELECT 1 FROM org_unit u WHERE u.code = s.org_unit)"),
    ),
    inserts=(
        """
        INSERT INTO account (account_no, old_account_no, premise, address, org_unit, route, reading_day,
                             content_hash, load_id)
        SELECT account_no, old_account_no, premise, address, org_unit, route, reading_day, {hash}, %(load)s
        FROM {rows} s WHERE EXISTS (SELECT 1 FROM org_unit u WHERE u.code = s.org_unit)
        """,
    ),
)

_CONTRACT_SHOWN = """
    (SELECT c.contract_key, 1 AS version, c.content_hash, c.load_id, c.recorded_tx, a.account_no, p.code AS party,
            y.code AS payer, c.group_key, c.class, c.jurisdiction, c.valid_from, c.valid_to, g.payment_mode,
            g.due_days, g.agreed_rate_ppm, g.strategy
     FROM contract c JOIN account a USING (account_id) JOIN party p USING (party_id)
     LEFT JOIN party y ON y.party_id = c.payer_id
     LEFT JOIN agreement g ON g.contract_id = c.contract_id AND g.valid_from = c.valid_from AND g.version = 1)
"""

CONTRACTS = Target(
    entity="contracts",
    key=("contract_key",),
    payload=(
        *("account_no", "party", "payer", "group_key", "class", "jurisdiction", "valid_from", "valid_to"),
        *("payment_mode", "due_days", "agreed_rate_ppm", "strategy"),
    ),
    known="(SELECT *, 1 AS version FROM contract)",
    shown=_CONTRACT_SHOWN,
    references=(
        Reference(
            "account_no", "UNKNOWN_ACCOUNT", "EXISTS (SELECT 1 FROM account a WHERE a.account_no = s.account_no)"
        ),
        Reference("party", "UNKNOWN_PARTY", "EXISTS (SELECT 1 FROM party p WHERE p.code = s.party)"),
        Reference(
            "payer", "UNKNOWN_PAYER", "(s.payer IS NULL OR EXISTS (SELECT 1 FROM party p WHERE p.code = s.payer))"
        ),
    ),
    inserts=(
        """
        INSERT INTO contract (contract_key, account_id, party_id, payer_id, group_key, class, jurisdiction,
                              valid_from, valid_to, content_hash, load_id)
        SELECT s.contract_key, a.account_id, p.party_id, y.party_id, s.group_key, s.class, s.jurisdiction,
               s.valid_from, s.valid_to, {hash}, %(load)s
        FROM {rows} s
        JOIN account a ON a.account_no = s.account_no
        JOIN party p ON p.code = s.party
        LEFT JOIN party y ON y.code = s.payer
        WHERE s.payer IS NULL OR y.party_id IS NOT NULL
        """,
        """
        INSERT INTO agreement (contract_id, valid_from, version, payment_mode, due_days, agreed_rate_ppm, strategy,
                               withdrawn, load_id)
        SELECT c.contract_id, s.valid_from, 1, s.payment_mode, s.due_days, s.agreed_rate_ppm, s.strategy, false,
               %(load)s
        FROM {rows} s JOIN contract c ON c.contract_key = s.contract_key
        """,
    ),
)

SERVICES = Target(
    entity="services",
    key=("service_point", "valid_from"),
    payload=(
        *("contract", "tariff", "class", "capacity_va", "household_size", "households", "free_wh_month"),
        "valid_to",
    ),
    known="service",
    shown="(SELECT v.*, c.contract_key AS contract FROM service v JOIN contract c USING (contract_id))",
    versioned=True,
    references=(FOUND_CONTRACT,),
    inserts=(
        """
        INSERT INTO service (service_point, valid_from, version, valid_to, contract_id, tariff, class, capacity_va,
                             household_size, households, free_wh_month, withdrawn, content_hash, load_id)
        SELECT s.service_point, s.valid_from, s.version, s.valid_to, c.contract_id, s.tariff, s.class, s.capacity_va,
               s.household_size, s.households, s.free_wh_month, false, {hash}, %(load)s
        FROM {rows} s JOIN contract c ON c.contract_key = s.contract
        """,
    ),
)

INSTALLATIONS = Target(
    entity="installations",
    key=("service_point", "meter", "register", "valid_from"),
    payload=("multiplier_e4", "valid_to"),
    known="installation",
    shown="installation",
    versioned=True,
    references=(
        Reference(
            "service_point",
            "UNKNOWN_SERVICE_POINT",
            "EXISTS (SELECT 1 FROM service v WHERE v.service_point = s.service_point)",
        ),
    ),
    inserts=(
        """
        INSERT INTO installation (service_point, meter, register, valid_from, version, valid_to, multiplier_e4,
                                  withdrawn, content_hash, load_id)
        SELECT s.service_point, s.meter, s.register, s.valid_from, s.version, s.valid_to, s.multiplier_e4, false,
               {hash}, %(load)s
        FROM {rows} s WHERE EXISTS (SELECT 1 FROM service v WHERE v.service_point = s.service_point)
        """,
    ),
)
