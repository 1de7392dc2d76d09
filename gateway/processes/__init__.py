"""The gateway's processes: the supervisor of the workers, a worker, and how workers come and go."""
