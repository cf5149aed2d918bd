"""Layers written byte by byte, and images of them as OCI layout folders."""
