"""Errors a person can act upon."""


class UserError(Exception):
    """Something the user can put right; the message says what to do. Printed in one line, exit 2."""
