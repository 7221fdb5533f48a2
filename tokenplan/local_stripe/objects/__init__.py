"""What has no route: the store, blank objects, errors, events and their delivery, time, whole cents."""
