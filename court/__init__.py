"""court: the program itself: reads settings, wires and supervises the roles."""
