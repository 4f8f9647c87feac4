"""What each command of a browser does, by subject."""
