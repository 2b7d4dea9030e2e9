"""The web server: connections, bodies, threads, and clients that are slow or lie."""
