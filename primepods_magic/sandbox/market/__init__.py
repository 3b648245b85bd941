"""What can be rented."""
