"""What this book is: its kind, jurisdiction, seed and, per function, who keeps the record."""
