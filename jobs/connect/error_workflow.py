"""Whether somebody is called when a workflow of ours fails: N8N leaves the id of an error workflow that is gone."""

from functools import cached_property

from jobs.n8n_api import ApiError, PublicApi

from .listing import rows
from .workflows import Content


class ErrorWorkflow:
    """Which workflow N8N calls when another one fails.

    Args:
        api: of the N8N; it is asked once, and only where a workflow names another than ours.
        reporter_id: N8N's id of ours; "" where it holds none.

    Attributes:
        settings: of a workflow that calls ours.
    """

    def __init__(self, api: PublicApi, reporter_id: str) -> None:
        self._api = api
        self.settings: Content = {"errorWorkflow": reporter_id}

    def reports(self, workflow: Content) -> bool:
        """Tell whether what fails in a workflow calls ours, or another that somebody chose."""
        chosen = (workflow.get("settings") or {}).get("errorWorkflow")
        if not chosen or chosen == self.settings["errorWorkflow"]:
            return bool(chosen)
        return self._held is None or chosen in self._held

    @cached_property
    def _held(self) -> frozenset[str] | None:
        """The ids of all workflows that are not archived; None where N8N does not say: nobody's choice is undone."""
        try:
            found = rows(self._api, "workflows", excludePinnedData="true")
        except ApiError:
            return None
        return frozenset(row["id"] for row in found if not row.get("isArchived"))
