"""Verbs that ask Stripe. None runs inside a transaction: what is to happen is written first, then asked,
then our rows are made to agree with the answer, by services. A crash in between leaves a row that a sweep
finds.
"""
