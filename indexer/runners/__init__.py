"""Where the work of a build runs. Every task is one partition, and may be done twice."""
