"""The packages that the service is made of, and next to nothing else: what they cost before any promise is kept.

An upload is decoded, its file written and synced, one row committed, one ring put in RQ; a callback changes the row.
No accounts, no limits, no events, no repeats, no retries, no bounds. It is what `benchmarks.floor` measures.
"""
