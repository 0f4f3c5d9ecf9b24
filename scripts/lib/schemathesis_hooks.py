"""Hypothesis parses a lambda to tell how it is called, which CPython 3.11.2, of Debian 12, sometimes fails to do
(python/cpython#106905)."""

from hypothesis.internal import lambda_sources

lambda_sources.lambda_description = lambda f: "lambda"
