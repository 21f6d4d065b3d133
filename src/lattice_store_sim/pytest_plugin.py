"""Fixtures for test suites of users; see docs."""
