"""Orders, events and money."""
