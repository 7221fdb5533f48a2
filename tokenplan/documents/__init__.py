"""The documents that people read in the product: a file a page and language, with figures from the data,
examples that a test runs, and a search over all of them.
"""
