"""What is answered: the shapes of bodies, and how pods become them."""
