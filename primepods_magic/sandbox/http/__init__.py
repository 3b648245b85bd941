"""What every request passes on its way in, and the thread that serves it."""
