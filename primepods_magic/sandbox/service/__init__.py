"""What it means to rent: orders, states by the clock, and money."""
