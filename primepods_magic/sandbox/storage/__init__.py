"""The sandbox's memory: one SQLite file."""
