"""`python -m accounting.demo`, which `make demo` runs.

Everything it keeps lies below `var/demo/`. Options come from the environment: `PORT` (8000) of the web, `ONCE=1` to end
after the first success, `REDIS_URL` and `N8N_WEBHOOK_URL` to use others than the embedded Valkey and the sandbox N8N;
with the last also what `configuration.OF_ANOTHER_N8N` names.
"""
