"""What the layers need of each other and of the world, a module for each port."""
