"""Alembic's entry: runs the steps on the connection that migrate() hands over. There is no offline mode."""

from __future__ import annotations

from alembic import context

from storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
