"""`make mutants`: plants one small fault at a time in the code that must not be wrong, and runs the tests nearest to
it. A fault that every test lets pass is a test that is missing.

`python_faults` and `sql_faults` say which faults there are, `planting` puts one into the running process, `targets`
says where and which tests are near, `run` forks a process for each and asks whether a test fails.
`equivalents.toml` names the faults that change nothing that anybody could notice, each with its reason.
"""
