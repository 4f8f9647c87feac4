"""Every fault that a court must survive, tried on a rehearsal, with what was lost and what the record says of it."""
