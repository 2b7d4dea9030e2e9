"""`python -m benchmarks.bare web PORT`, `… worker`: a process of the bare service; `… table` makes its table."""

import sys

import django

THREADS = 4


def main() -> None:
    """Do what the first argument says."""
    django.setup()
    from django.core.wsgi import get_wsgi_application
    from django.db import connection
    from rq import SimpleWorker
    from waitress import serve

    from .app import Job, queue, redis

    match sys.argv[1:]:
        case ["web", port]:
            serve(get_wsgi_application(), host="127.0.0.1", port=int(port), threads=THREADS)
        case ["worker"]:
            SimpleWorker([queue], connection=redis).work()
        case ["table"]:
            with connection.schema_editor() as editor:
                editor.create_model(Job)


if __name__ == "__main__":
    main()
