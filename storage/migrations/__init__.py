"""storage.migrations: the history of the schema, applied by migrate()."""
