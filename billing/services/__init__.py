"""What changes the rows of what was bought: one verb a function, one transaction each."""
