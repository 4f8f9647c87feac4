"""Fixtures that every test may ask for by name: real servers, private and short-lived."""

pytest_plugins = ["tests.servers"]
