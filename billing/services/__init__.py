"""What the second floor does: one verb a function, one transaction each."""
