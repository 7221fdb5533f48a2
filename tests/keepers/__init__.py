"""Rules that hold for the whole tree, each kept by a test. CONTRIBUTING.md lists them with their keepers."""
