"""The queues that others would pick, one a module. What a module says at its top is how the queue is set up."""
