"""The service as it was first specified, to be measured against: FastAPI, SQLModel and RQ, as their tutorials have it.

An upload is looked at by its first bytes, gets a row, and goes into Redis whole; a callback changes the row. Nothing
here is made slow on purpose, and nothing is tuned.
"""

import os
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import FastAPI, Form, Header, HTTPException, UploadFile
from pydantic import BaseModel
from redis import Redis
from rq import Queue
from sqlmodel import Field, Session, SQLModel, create_engine
from worker import trigger_n8n_workflow

MAX_BYTES = 10 * 1024 * 1024
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


class JobLog(SQLModel, table=True):
    job_id: UUID = Field(default_factory=uuid4, primary_key=True)
    status: str = Field(default="queued", index=True)
    filename: str | None = None
    notion_database_id: str
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC), index=True)
    completed_at: datetime | None = None
    result_message: str | None = None
    notion_page_url: str | None = None


class Callback(BaseModel):
    status: str
    message: str | None = None
    notion_page_url: str | None = None


engine = create_engine(os.environ["PLAIN_DATABASE_URL"])
redis = Redis.from_url(os.environ["REDIS_URL"])
queue = Queue("default", connection=redis)
app = FastAPI()
SQLModel.metadata.create_all(engine)


@app.post("/api/v1/receipts/upload", status_code=202)
async def upload(file: UploadFile, notion_database_id: Annotated[str, Form()]) -> dict[str, str]:
    content = await file.read()
    if len(content) > MAX_BYTES:
        raise HTTPException(413, "The file is too large.")
    if not content.startswith(MAGIC):
        raise HTTPException(415, "The file is neither JPEG nor PNG.")
    job = JobLog(filename=file.filename, notion_database_id=notion_database_id)
    with Session(engine, expire_on_commit=False) as session:
        session.add(job)
        session.commit()
    queue.enqueue(trigger_n8n_workflow, str(job.job_id), content, job.filename, notion_database_id)
    return {"job_id": str(job.job_id), "status": job.status}


@app.post("/api/v1/jobs/{job_id}/callback")
async def callback(job_id: UUID, report: Callback, x_callback_token: Annotated[str, Header()]) -> dict[str, str]:
    if x_callback_token != os.environ["CALLBACK_SECRET_TOKEN"]:
        raise HTTPException(401, "The callback token is not valid.")
    with Session(engine, expire_on_commit=False) as session:
        job = session.get(JobLog, job_id)
        if job is None:
            raise HTTPException(404, "There is no such job.")
        job.status = report.status
        job.result_message = report.message
        job.notion_page_url = report.notion_page_url
        job.completed_at = datetime.now(UTC)
        session.commit()
    return {"job_id": str(job_id), "status": job.status}


@app.get("/health")
def health() -> dict[str, str]:
    redis.ping()
    return {"status": "healthy"}
