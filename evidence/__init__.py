"""evidence: exhibits (证据) and their place in the record."""
