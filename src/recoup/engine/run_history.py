"""Reads of runs for the console: the days that were closed, their slices, and what they refused, within a scope."""

from recoup.database.listing import Asked, Connection, Listing, Page, Row, read_dicts, read_list
from recoup.domains.access.scope import Scope

_RUNS = Listing(
    columns="""
        r.run_no, r.business_on, r.state, r.mode, r.started_at, r.finished_at, r.code_version, r.rulebook_hash,
        r.content_hash, extract(epoch FROM r.finished_at - r.started_at)::bigint AS seconds,
        (SELECT count(*) FROM slice s WHERE s.run_no = r.run_no) AS slices,
        (SELECT sum(s.keys_in)::bigint FROM slice s WHERE s.run_no = r.run_no) AS keys_in,
        (SELECT sum(s.issues)::bigint FROM slice s WHERE s.run_no = r.run_no) AS issues
    """,
    tables="run r",
    orders={"run_no": "r.run_no", "business_on": "r.business_on", "state": "r.state"},
    tie="r.run_no",
)
# An issue of a contract belongs to its unit; one of no contract is seen by who sees the whole book.
_ISSUES = Listing(
    columns="x.issue_id, x.run_no, r.business_on, x.kind, x.key, x.field, x.detail, a.account_no",
    tables="""
        run_issue x JOIN run r USING (run_no)
        LEFT JOIN contract c ON c.contract_id = x.contract_id LEFT JOIN account a ON a.account_id = c.account_id
    """,
    orders={"business_on": "r.business_on", "kind": "x.kind"},
    tie="x.issue_id",
)


def list_runs(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List runs: they hold sums of the whole book and no customer, so any scope sees them. Filter: state."""
    conditions = [("r.state = %s", [asked.get("state")])] if asked.get("state") else []
    return read_list(connection, _RUNS, conditions, asked)


def find_run_row(connection: Connection, scope: Scope, run_no: int) -> Row | None:
    """One run by its number."""
    found = read_dicts(connection, f"SELECT {_RUNS.columns}, r.feeds FROM run r WHERE r.run_no = %s", [run_no])
    return found[0] if found else None


def list_slices(connection: Connection, scope: Scope, run_no: int) -> list[Row]:
    """List the slices of a run."""
    query = """
        SELECT slice_no, group_from, group_to, state, attempts, fence, keys_in, keys_out, issues, file, content_hash
        FROM slice WHERE run_no = %s ORDER BY slice_no
    """
    return read_dicts(connection, query, [run_no])


def list_issues(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List what runs refused. Filters: run (its number), kind, q (account number or key)."""
    conditions = [scope.condition("a.org_unit")]
    if asked.get("run").isdigit():
        conditions.append(("x.run_no = %s", [int(asked.get("run")[:18])]))
    if asked.get("kind"):
        conditions.append(("x.kind = %s", [asked.get("kind")]))
    if asked.get("q"):
        conditions.append(("a.account_no = %s OR a.old_account_no = %s OR x.key = %s", [asked.get("q")] * 3))
    return read_list(connection, _ISSUES, conditions, asked)
