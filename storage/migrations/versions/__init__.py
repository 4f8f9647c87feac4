"""storage.migrations.versions: one file per step, in order of `down_revision`."""
