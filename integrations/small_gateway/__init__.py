"""A small gateway: asks the console before each model call, passes the call on, settles after it.

It is for the laptop, and the readable reference of what the console expects of a gateway (README.md).
"""
