"""rehearsal: robots that play a scripted hearing (演练) over the real interfaces."""
