"""transcripts: speech to a correctable text."""
