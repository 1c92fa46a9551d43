"""Whether a file is text in UTF-8 at all, judged by its beginning; and what to tell its sender when it is not."""

from pathlib import Path

from recoup.domains.feeds.lines import LINE_LIMIT

UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class FileRefused(Exception):
    """A file cannot be loaded; the message says why and what to do. `zh` says the same in Chinese, where it is said."""

    def __init__(self, message: str, zh: str = "") -> None:
        self.zh = zh
        super().__init__(message)

    def in_words(self) -> dict[str, str]:
        """The message in both languages."""
        return {"zh": self.zh or str(self), "en": str(self)}


def check_encoding(path: Path) -> None:
    """Raise FileRefused for an empty file, and for one that is wholly in another encoding than UTF-8."""
    with path.open("rb") as file:
        head = file.read(LINE_LIMIT)
    if not head.strip(b"\r\n\t \xef\xbb\xbf"):
        raise FileRefused("the file is empty: export it again; a file without rows still has its header")
    if head.startswith(_UTF16_MARKS) or head.count(0) > len(head) // 8:
        raise FileRefused(f"the file is UTF-16, not UTF-8: save it as 'CSV UTF-8', or {_how('UTF-16', path)}")
    lines = head.removeprefix(UTF8_MARK).splitlines()
    if len(lines) > 1 and len(head) == LINE_LIMIT:
        lines.pop()  # it may be cut within a character
    wrong = [line for line in lines if not _is(line, "utf-8")]
    if lines and (not _is(lines[0], "utf-8") or 2 * len(wrong) >= len(lines)):
        raise FileRefused(_name_encoding(wrong, path))


def _name_encoding(wrong: list[bytes], path: Path) -> str:
    if all(_is(line, "gb18030") for line in wrong):
        return f"the file is not UTF-8 but GB18030 (GBK), by its looks: {_how('GB18030', path)}"
    return "the file is not UTF-8, nor another encoding that we know: export it again as UTF-8"


def _how(encoding: str, path: Path) -> str:
    return f"run: iconv -f {encoding} -t UTF-8 {path.name} > fixed.csv"


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
