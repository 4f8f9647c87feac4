"""roles: one module per role of the program; each wires its packages and serves until stopped."""
