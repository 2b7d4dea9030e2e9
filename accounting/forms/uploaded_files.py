"""Where a file of a form waits while it is read: in memory where it is short, else in a file without a name."""

import tempfile
from typing import Any, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class NamelessFileUploadHandler(TemporaryFileUploadHandler):
    """Writes a form's files into temporary ones that are in no folder: what is left of a killed process is nothing.

    Django's have a name, with the suffix of the client's, and no system takes a name of any length.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin the next one."""
        super(TemporaryFileUploadHandler, self).new_file(*args, **kwargs)
        file: Any = tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115 - whoever reads it closes it
        name, content_type = str(self.file_name), str(self.content_type)
        self.file = cast(Any, UploadedFile(file, name, content_type, 0, self.charset, self.content_type_extra))

    def upload_interrupted(self) -> None:
        """Let go of the one at hand."""
        if hasattr(self, "file"):
            self.file.close()
