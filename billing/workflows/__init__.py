"""Verbs that ask Stripe. None runs inside a transaction: what is to happen is written down first, then asked
of Stripe, then synced, so that our rows agree with the answer. A crash in between leaves a row that a sweep
finds.
"""
