"""Tests mirror the engine: tests/explain/test_gradcam.py tests auditor/explain/gradcam.py."""
