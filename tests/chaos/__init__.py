"""A whole installation of real processes under random faults, and a checker that knows none of its code.

`python -m tests.chaos --seed 1 --duration 20 --database sqlite`, which `make chaos` runs. Clients upload, a stub N8N
misbehaves, and faults drawn from the seed strike; each of the three keeps a ledger of what it saw. Afterwards the
checker compares the ledgers with the database. The seed decides the faults and N8N's answers; the timing varies.
"""
