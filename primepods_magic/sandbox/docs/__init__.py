"""What is served, told to programs and to people."""
