"""Tests of musichelper."""
