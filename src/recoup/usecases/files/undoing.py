"""Taking back a load: only while nothing stands on it, whole or not at all."""

from typing import NamedTuple

import psycopg
from django.db import DatabaseError, connection, transaction

from recoup.database.failpoints import hit
from recoup.domains.access.models import Staff
from recoup.domains.audit.operations import record
from recoup.domains.feeds.models import FeedLoad

UNDO = "UNDO_LOAD"


class Obstacle(NamedTuple):
    """What stands on a load: a run's day, a signed cut-off's day, another load, or rows of a kind."""

    kind: str
    detail: str


class UndoRefused(Exception):
    """A load cannot be taken back; the message says what stands on it and what to do instead."""

    def __init__(self, message: str, zh: str) -> None:
        self.zh = zh
        super().__init__(message)

    def say(self, language: str) -> str:
        """The message in a language."""
        return str(self) if language == "en" else self.zh


_WHAT_TO_DO = {
    "RUN": (
        "the day {detail} was closed with it: correct it by a file with --corrections, or with the next feed",
        "{detail} 已用这些数据关账：请用更正文件（--corrections）或下一批数据更正",
    ),
    "CUTOFF": (
        "the cut-off of {detail} was signed with it: correct it by a file with --corrections",
        "{detail} 的月末数字已据此签报：请用更正文件（--corrections）更正",
    ),
    "LOAD": (
        "load {detail} knew or corrected rows of it: undo it first, the latest before the others",
        "第 {detail} 次装入含有或更正了其中的行：请从最近的一次起先行撤销",
    ),
    "ROWS": (
        "{detail} name what it brought: undo those first, if a load brought them",
        "其他记录（{detail}）用到了这些数据：如果是装入的，请先撤销",
    ),
}


def undo_load(load_id: int, *, staff: Staff | None = None, reason: str = "") -> None:
    """Remove what a load brought and set its feed's watermark back; its records stay, marked UNDONE.

    Killed, nothing has changed: the same again does it. Raises UndoRefused with what stands on the load.
    """
    load = FeedLoad.objects.filter(load_id=load_id).first()
    if load is None:
        raise UndoRefused(f"there is no load {load_id}: recoup files loads lists them", f"没有第 {load_id} 次装入")
    if load.state == "UNDONE":
        raise UndoRefused(f"load {load_id} is undone already", f"第 {load_id} 次装入已经撤销")
    if obstacles := list_obstacles(load_id):
        raise UndoRefused(tell(load_id, obstacles), tell(load_id, obstacles, "zh"))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT recoup_undo_load(%s)", [load_id])
            record(staff, UNDO, f"load {load_id}", reason, {"feed": load.feed})
            hit("files.undone")
    except DatabaseError as error:
        raise _explain(load_id, error) from error


def list_obstacles(load_id: int) -> tuple[Obstacle, ...]:
    """What stands on a load; nothing when it can be taken back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, detail FROM recoup_list_obstacles(%s)", [load_id])
        return tuple(Obstacle(*row) for row in cursor.fetchall())


def tell(load_id: int, obstacles: tuple[Obstacle, ...], language: str = "en") -> str:
    """What stands on a load, and what to do instead, in one line."""
    place = 0 if language == "en" else 1
    told = [_WHAT_TO_DO[one.kind][place].format(detail=one.detail) for one in obstacles]
    if place:
        return f"第 {load_id} 次装入不能撤销：{'；'.join(told)}"
    return f"load {load_id} cannot be undone: {'; '.join(told)}"


def _explain(load_id: int, error: Exception) -> Exception:
    """A refusal of the database itself in our words; anything else is a fault and stays one."""
    cause = error.__cause__
    if isinstance(cause, psycopg.errors.LockNotAvailable):
        return UndoRefused(
            f"load {load_id} cannot be undone now: {_first_line(cause)}; wait until it has ended",
            "另一次装入或关账正在进行：请稍后再试",
        )
    if isinstance(cause, psycopg.errors.DependentObjectsStillExist | psycopg.errors.NoDataFound):
        return UndoRefused(_first_line(cause), "有新的数据用到了这次装入：请刷新后查看")
    return error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
