"""What people did: signed in, revealed, exported, decided. Appended, never changed."""
