"""A Debian with layers that buildah makes, and the registry that serves it."""
