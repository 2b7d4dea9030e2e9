"""The client that uploads folders."""
