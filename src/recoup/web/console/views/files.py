"""Files: drop one in, look at what would become of it, load it, take a load back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from recoup.domains.access.permissions import LOAD as MAY_LOAD
from recoup.domains.access.permissions import may, require
from recoup.domains.feeds import mappings
from recoup.domains.feeds.headings import kinds
from recoup.domains.feeds.models import FeedLoad, FileUpload
from recoup.domains.feeds.queries import list_loads, read_load
from recoup.usecases.files import uploads
from recoup.usecases.files.undoing import UndoRefused, list_obstacles, tell, undo_load
from recoup.usecases.files.uploads import ASKED, DONE, LOAD, PREVIEW, READY, REFUSED, WORKING
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.file_forms import describe_form, read_said
from recoup.web.console.file_tables import describe_preview, list_files, list_load_rows, say_end, say_instant
from recoup.web.console.language import Title

_TOO_LARGE = Title(
    f"没有收到文件。一次一个文件，不超过 {uploads.UPLOAD_LIMIT >> 20} MiB；更大的请拆分，或用命令装入。",
    f"No file came. One at a time, up to {uploads.UPLOAD_LIMIT >> 20} MiB; split a larger one, or use the command.",
)
_UNDONE = Title("已撤销第 {load} 次装入。", "Load {load} is undone.")
_FORGOTTEN = Title("已忘记该对应关系，下次会重新询问。", "The mapping is forgotten: such a sheet is asked again.")
_THROWN_AWAY = Title("文件已丢弃，没有装入任何数据。", "The file is thrown away; nothing was loaded.")
_NOT_YOURS = Title(
    "只有装入者本人或管辖全部单位的人员可以撤销。", "Only who loaded it, or sees the whole book, may undo it."
)


@page()
def files(request: ConsoleRequest) -> HttpResponse:
    """The place to drop a file, what is under way, what was loaded, what is remembered."""
    may_load = may(request.staff, MAY_LOAD)
    context = {
        "may_load": may_load,
        "open": [_describe(upload) for upload in uploads.list_open(request.staff)] if may_load else [],
        "loads": list_load_rows(list_loads(), request.language),
        "mappings": [_describe_mapping(kept, request.language) for kept in mappings.list_mappings()],
        "limit": uploads.UPLOAD_LIMIT >> 20,
    }
    return render(request, "console/files.html", context)


def _describe(upload: FileUpload) -> dict[str, Any]:
    state = "INTERRUPTED" if uploads.is_interrupted(upload) else upload.state
    return {"upload": upload, "state": state, "words": _STATES[state], "tone": _TONES.get(state, "info")}


_STATES = {
    WORKING: Title("处理中", "Working"),
    READY: Title("待装入", "Ready to load"),
    ASKED: Title("待对应", "Needs a mapping"),
    REFUSED: Title("不能装入", "Refused"),
    DONE: Title("已装入", "Loaded"),
    "INTERRUPTED": Title("已中断", "Interrupted"),
}
_TONES = {READY: "good", ASKED: "warn", REFUSED: "bad", DONE: "good", "INTERRUPTED": "warn"}


def _describe_mapping(kept: mappings.Kept, language: str) -> dict[str, Any]:
    kind = kinds()[kept.mapping.kind]
    pairs = [
        (heading, Title(kind.fields[name].zh, kind.fields[name].en).say(language))
        for name in kind.fields
        if (heading := kept.mapping.fields.get(name))
    ]
    constants = [
        (Title(kind.fields[name].zh, kind.fields[name].en).say(language) if name in kind.fields else name, value)
        for name, value in kept.mapping.constants.items()
    ]
    return {"kept": kept, "kind": Title(kind.zh, kind.en), "pairs": pairs, "constants": constants}


@require_POST
@page(MAY_LOAD)
def drop(request: ConsoleRequest) -> HttpResponse:
    """Take a file and begin its preview."""
    file = request.FILES.get("file")
    if file is None or not file.size or file.size > uploads.UPLOAD_LIMIT:
        messages.warning(request, _TOO_LARGE.say(request.language))
        return redirect("console:files")
    upload = uploads.keep(request.staff, file.name or "file", file.chunks(), file.size)
    return redirect("console:file", upload.upload_id)


@page(MAY_LOAD)
def file(request: ConsoleRequest, upload_id: int) -> HttpResponse:
    """One dropped file: how far it is, what is asked, what would become of it, what became of it."""
    upload = _find(request, upload_id)
    context = _describe(upload)
    found = upload.found or {}
    if context["state"] == READY:
        context |= {"preview": describe_preview(found, request.language), "ready": found.get("ready")}
    if context["state"] in (READY, ASKED, REFUSED) and found:
        context["form"] = describe_form(upload, request.language)
    if context["state"] == DONE and upload.load_id:
        context["result"] = list_files(read_load(upload.load_id), request.language)
    return render(request, "console/file.html", context)


def _find(request: ConsoleRequest, upload_id: int) -> FileUpload:
    try:
        return uploads.find(request.staff, upload_id)
    except uploads.NotYours as error:
        raise Http404(str(error)) from error


@page(MAY_LOAD)
def progress(request: ConsoleRequest, upload_id: int) -> HttpResponse:
    """How far the work is; the whole page again once it has ended."""
    upload = _find(request, upload_id)
    context = _describe(upload)
    if context["state"] != WORKING:
        answer = HttpResponse(status=204)
        answer.headers["HX-Redirect"] = reverse("console:file", args=[upload_id])
        return answer
    return render(request, "console/_file_progress.html", context)


@require_POST
@page(MAY_LOAD)
def look_again(request: ConsoleRequest, upload_id: int) -> HttpResponse:
    """Preview again, with what the person has said now."""
    upload = _find(request, upload_id)
    uploads.begin(request.staff, upload, PREVIEW, read_said(upload, request.POST))
    return redirect("console:file", upload_id)


@require_POST
@page(MAY_LOAD)
def load(request: ConsoleRequest, upload_id: int) -> HttpResponse:
    """Load what the preview showed."""
    upload = _find(request, upload_id)
    if upload.state == READY or upload.task == LOAD:
        uploads.begin(request.staff, upload, LOAD, upload.said)
    return redirect("console:file", upload_id)


@require_POST
@page(MAY_LOAD)
def discard(request: ConsoleRequest, upload_id: int) -> HttpResponse:
    """Throw a dropped file away."""
    uploads.discard(request.staff, _find(request, upload_id))
    messages.success(request, _THROWN_AWAY.say(request.language))
    return redirect("console:files")


@page()
def one_load(request: ConsoleRequest, load_id: int) -> HttpResponse:
    """One load: its files, and whether it can be taken back."""
    found = read_load(load_id)
    if found is None:
        raise Http404(str(load_id))
    able = may(request.staff, MAY_LOAD) and uploads.may_undo(request.staff, load_id)
    asked = able and found["state"] != "UNDONE"
    obstacles = list_obstacles(load_id) if asked else ()
    context = {
        "load": found,
        "known_up_to": say_end(found["as_of_at"]),
        "started": say_instant(found["started_at"]),
        "table": list_files(found, request.language),
        "may_undo": asked and not obstacles,
        "obstacles": tell(load_id, obstacles, request.language) if obstacles else "",
    }
    return render(request, "console/load.html", context)


@require_POST
@page(MAY_LOAD)
def undo(request: ConsoleRequest, load_id: int) -> HttpResponse:
    """Take a load back."""
    require(request.staff, MAY_LOAD)
    if not FeedLoad.objects.filter(load_id=load_id).exists():
        raise Http404(str(load_id))
    if not uploads.may_undo(request.staff, load_id):
        messages.warning(request, _NOT_YOURS.say(request.language))
        return redirect("console:load", load_id)
    try:
        undo_load(load_id, staff=request.staff, reason=request.POST.get("reason", "").strip()[:500])
    except UndoRefused as refused:
        messages.warning(request, refused.say(request.language))
    else:
        messages.success(request, _UNDONE.say(request.language).format(load=load_id))
    return redirect("console:load", load_id)


@require_POST
@page(MAY_LOAD)
def forget(request: ConsoleRequest, mapping_id: int) -> HttpResponse:
    """Forget a mapping."""
    try:
        mappings.forget(mapping_id, who=request.staff.username)
        messages.success(request, _FORGOTTEN.say(request.language))
    except mappings.MappingUnknown as error:
        raise Http404(str(mapping_id)) from error
    return redirect("console:files")


urlpatterns = [
    path("files/", files, name="files"),
    path("files/drop/", drop, name="file-drop"),
    path("files/<int:upload_id>/", file, name="file"),
    path("files/<int:upload_id>/progress/", progress, name="file-progress"),
    path("files/<int:upload_id>/look/", look_again, name="file-look"),
    path("files/<int:upload_id>/load/", load, name="file-load"),
    path("files/<int:upload_id>/discard/", discard, name="file-discard"),
    path("files/loads/<int:load_id>/", one_load, name="load"),
    path("files/loads/<int:load_id>/undo/", undo, name="load-undo"),
    path("files/mappings/<int:mapping_id>/forget/", forget, name="mapping-forget"),
]
