"""Where tables live, what they must look like, and how they are read, written and published."""
