"""What `make run` starts and keeps running until Ctrl-C: databases, broker, web server, worker and clock.

From the ground up:

- `environment` reads the variables; `folders` and `secret_store` say where an installation keeps its data and
  its secrets. Django's settings are built from these three, which import nothing but the standard library.
- `processes` starts, finds and ends processes of the operating system.
- `embedded` runs PostgreSQL and Redis where no other servers are named.
- `supervisor` looks after servers and programs, and stops them all; `programs` says which programs there are.
- `demo` makes the demo Teams.
"""
