"""Django's PostgreSQL backend, entering by our door (`ENGINE = "recoup.database.backend"`)."""
