"""The double-entry ledger: entries and postings. There is one door into it: `operations.post`."""
