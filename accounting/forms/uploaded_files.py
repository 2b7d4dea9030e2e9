"""Where a file of a form waits while it is read: in memory where it is short, else in a file without its name."""

import tempfile
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class NamelessTemporaryFile(TemporaryUploadedFile):
    """A temporary file of which its client has named nothing.

    Django gives it the suffix of the client's name, and no system takes a name of any length.
    """

    def __init__(
        self, name: str, content_type: str, size: int, charset: str | None, content_type_extra: Any = None
    ) -> None:
        file: Any = tempfile.NamedTemporaryFile(suffix=".upload", dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115 - whoever reads it closes it
        UploadedFile.__init__(self, file, name, content_type, size, charset, content_type_extra)


class NamelessFileUploadHandler(TemporaryFileUploadHandler):
    """Writes a form's files into such files."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin the next one."""
        super(TemporaryFileUploadHandler, self).new_file(*args, **kwargs)
        name, content_type = str(self.file_name), str(self.content_type)
        self.file = NamelessTemporaryFile(name, content_type, 0, self.charset, self.content_type_extra)
