"""A light stand-in for N8N, which costs the machine little: `standin.py PORT`, with CALLBACK_SECRET_TOKEN set.

It answers each delivery at once and then calls back with a success. `GET /stats` tells how many deliveries and
callbacks there were, and when the last callback was answered.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientSession, TCPConnector, web

MAX_BYTES = 32 * 1024 * 1024
STATS = {"deliveries": 0, "succeeded": 0, "refused": 0, "last": 0.0}
SESSION = web.AppKey("session", ClientSession)
_tasks: set[asyncio.Task[None]] = set()


async def take(request: web.Request) -> web.Response:
    """Answer a delivery as N8N's webhook does, and go on with it afterwards."""
    body = await request.json()
    STATS["deliveries"] += 1
    task = asyncio.create_task(_call_back(request.app[SESSION], body["job_id"], body["callback_url"]))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return web.json_response({"message": "Workflow was started"})


async def _call_back(session: ClientSession, job_id: str, url: str) -> None:
    await asyncio.sleep(0)  # the answer goes first
    report = {"status": "success", "notion_page_url": f"https://www.notion.so/{job_id.replace('-', '')}"}
    headers = {"X-Callback-Token": os.environ["CALLBACK_SECRET_TOKEN"]}
    try:
        async with session.post(url, json=report, headers=headers) as answer:
            STATS["succeeded" if answer.ok else "refused"] += 1
    except ClientError:
        STATS["refused"] += 1
    STATS["last"] = time.time()


async def _session(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession(connector=TCPConnector(limit=16)) as app[SESSION]:
        yield


async def tell(_: web.Request) -> web.Response:
    """Tell what came so far."""
    return web.json_response(STATS)


def main() -> None:
    """Serve until told to end."""
    app = web.Application(client_max_size=MAX_BYTES)
    app.cleanup_ctx.append(_session)
    app.add_routes([web.post("/webhook/receipts", take), web.get("/stats", tell)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
