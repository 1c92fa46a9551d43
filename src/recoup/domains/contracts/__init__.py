"""Accounts, and the contracts under them: one party's tenure of one account is the debtor."""
