"""A stand-in for N8N, for demonstrations and tests: takes receipts as a good workflow would, and reports back.

It keeps counts only: no picture and no secret is stored or logged.
"""

from .application import Sandbox, Stats
from .serving import running_sandbox
from .webhook import Behaviour

__all__ = ["Behaviour", "Sandbox", "Stats", "running_sandbox"]
