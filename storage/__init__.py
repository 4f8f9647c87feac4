"""storage: what outlives the process: database, objects, queued jobs."""
