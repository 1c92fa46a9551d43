"""The double-entry ledger: denoms, subjects, entries and postings. There is one door into it: `operations.post`."""
