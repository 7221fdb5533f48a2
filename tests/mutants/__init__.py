"""`make mutants`: plants one small fault at a time in the code that must not be wrong, and runs the tests
nearest to it. A fault that every test lets pass is a test that is missing.

`python_faults` and `sql_faults` say which faults there are, `planting` puts one into the running process,
`targets` says where, `tests_near` which tests are to notice, `run` forks a process for each fault and asks
whether a test fails, on a copy of the test database (`databases`). `equivalents.toml` names the faults that
change nothing that anybody could notice, each with its reason.

No library does this here. None plants faults in SQL, where most of the hot path decides. mutmut 3 was tried
on the pure modules: it plants nothing outside of functions and needed two seconds a fault. By its documents,
cosmic-ray starts the test command anew for each fault.
"""
