"""What a browser may send: a file above the limit is read past and never written."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from recoup.usecases.files.uploads import UPLOAD_LIMIT

# Room for the other parts of a form around the file.
_AROUND = 1 << 20


class BoundedUpload(FileUploadHandler):
    """Skips every file of a request that is larger than what may be dropped; the page then says so."""

    _too_large = False

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        """Note the size that the browser announces."""
        self._too_large = content_length > UPLOAD_LIMIT + _AROUND

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Refuse to begin a file of a request that is too large."""
        super().new_file(*args, **kwargs)
        if self._too_large:
            raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Hand on what came."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the next handler."""
