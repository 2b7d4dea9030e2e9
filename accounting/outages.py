"""How it shows that something which this service needs is away for a while."""

from django.db import InterfaceError, InternalError, OperationalError

# PostgreSQL calls it internal that it may only be read (a standby) and that it has ended an idle transaction
# (https://www.postgresql.org/docs/current/errcodes-appendix.html, class 25)
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
