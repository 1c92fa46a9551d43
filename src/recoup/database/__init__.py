"""PostgreSQL: finding it, keeping it running, and the one door to a connection.

Nothing here knows the business, and nothing here imports another part of Recoup.
"""
