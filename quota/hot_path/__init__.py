"""What runs at every model call: authorize before it, settle after it, or its usage reported later.

What decides a call, writes its charge, or takes that back, stands here and nowhere else. Services, too, lock
rows; how they lock a Team's Credits is in `locks`.
"""
