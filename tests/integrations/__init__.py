"""Tests of what stands outside of the console."""
