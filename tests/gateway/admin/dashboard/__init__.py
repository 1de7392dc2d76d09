"""Tests of gateway/admin/dashboard."""
