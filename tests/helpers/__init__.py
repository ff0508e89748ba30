"""Estimators, scripts and strategies that several tests use."""
