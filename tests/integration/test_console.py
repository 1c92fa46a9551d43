"""The console's gate: who sees which rows, who may write, what is masked, and what is written down about it.

Every address of the console is asked, so that a new page cannot forget the scope.
"""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")

OWN_UNIT = "D1"
OWN, FOREIGN = 3, 4  # contract i lies in district i % 3 + 1
PASSWORD = "a long enough word"
ROLES = ("admin", "manager", "clerk", "collector", "auditor")
# What stands in an address for each name in its pattern: once of the own unit, once of another.
SAMPLES = {
    "number": ("370000000003", "370000000004"),
    "bill_no": ("K0003-{}", "K0004-{}"),
    "contract_key": ("K0003", "K0004"),
    "username": ("collector", "admin"),
    "name": ("cn/late-charge", "nothing"),
    "stamp": ("x", "x"),
    "day": ("2025-01-31", "2025-01-30"),
}
FOREIGN_ROW = re.compile(r"\b(?:37000000|K|OLD|OLDC|SP|P)(\d{4})\b")


@pytest.fixture(scope="module")
def book(closed_book: str) -> Iterator[str]:
    """A closed book with one person of each role; the collector is of one district."""
    import tiny_book

    from recoup.database import roles
    from recoup.domains.access.operations import add_staff

    connections.close_all()
    name = tiny_book.copy_book(closed_book, "recoup_console")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_DATABASE_NAME", name)
        patch.setattr("django.contrib.auth.hashers.PBKDF2PasswordHasher.iterations", 10)
        patch.setattr("django.conf.settings.ALLOWED_HOSTS", ["localhost"], raising=False)
        for role in ROLES:
            unit = OWN_UNIT if role == "collector" else "*"
            add_staff(username=role, name=role, role=role, org_unit=unit, password=PASSWORD)
        yield name
        connections.close_all()
        roles.drop_database(name)


@pytest.fixture
def sign_in(book: str) -> Any:
    """Gives a browser in which a person is signed in."""
    from django.test import Client

    from recoup.domains.access.queries import find_staff

    def enter(username: str | None, **options: Any) -> Client:
        client = Client(SERVER_NAME="localhost", raise_request_exception=True, **options)
        if username:
            staff = find_staff(username)
            assert staff is not None
            client.force_login(staff)
        return client

    return enter


def list_patterns() -> list[Any]:
    """Every address of the console, read from the console itself."""
    from recoup.cli import django

    django.setup()
    from recoup.web.console.urls import urlpatterns

    return list(urlpatterns)


PATTERNS = {pattern.name: pattern for pattern in list_patterns()}


def make_address(name: str, which: int) -> str:
    """An address of the pattern, of the own unit (0) or of another (1)."""
    from django.urls import reverse

    kwargs = {}
    for key, converter in PATTERNS[name].pattern.converters.items():
        if type(converter).__name__ == "IntConverter":
            kwargs[key] = 1 if which == 0 else 10**12
        elif type(converter).__name__ == "StringConverter" and key not in SAMPLES:
            pytest.fail(f"{name}: say in SAMPLES what {key} is in the own unit and in another")
        else:
            kwargs[key] = SAMPLES[key][which].format(_first_period(which))
    return reverse(f"console:{name}", kwargs=kwargs)


def _first_period(which: int) -> str:
    import tiny_book

    return tiny_book.item_key((OWN, FOREIGN)[which]).split(":")[0].split("-", 1)[1]


def read_body(answer: Any) -> str:
    """The whole answer as text."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode("utf-8-sig", errors="replace")


def find_foreign(text: str) -> set[str]:
    """Numbers in a text that belong to another district than D1."""
    return {found.group(0) for found in FOREIGN_ROW.finditer(text) if int(found.group(1)) % 3 != 0}


def count_events(kind: str) -> int:
    from recoup.domains.audit.models import AuditEvent

    return AuditEvent.objects.filter(kind=kind).count()


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_every_view_says_who_may_open_it(name: str) -> None:
    view = PATTERNS[name].callback
    assert getattr(view, "public", False) or hasattr(view, "capability"), "mark it with @page() or @public"


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_stranger_sees_no_page(name: str, sign_in: Any) -> None:
    answer = sign_in(None).get(make_address(name, 0))
    if not getattr(PATTERNS[name].callback, "public", False):
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/sign-in/")
    assert not FOREIGN_ROW.search(read_body(answer))


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_collector_of_one_district_sees_nothing_of_another(name: str, sign_in: Any) -> None:
    """By page, by export, by searching, by guessing the address."""
    client, own, foreign = sign_in("collector"), make_address(name, 0), make_address(name, 1)
    searched = "?q=370000000004&unit=D2&owing=1&month="
    for address in (own, f"{own}?export=csv&month=", f"{own}?export=csv&unit=D2", own + searched, f"{own}?unit=S1"):
        answer = client.get(address)
        assert answer.status_code in (200, 302, 403, 404, 405), address
        told = read_body(answer).replace("370000000004", "") if "q=" in address else read_body(answer)
        assert find_foreign(told) == set(), address
    guessed = client.get(foreign)
    if own != foreign and {"number", "bill_no", "contract_key"} & set(PATTERNS[name].pattern.converters):
        assert guessed.status_code in (404, 405)
    assert find_foreign(read_body(guessed).replace(foreign, "")) == set()


def test_the_same_pages_are_full_for_who_sees_the_whole_book(sign_in: Any) -> None:
    """Else the test above would hold for a console that shows nothing at all."""
    client = sign_in("manager")
    for name in ("accounts", "bills", "payments"):
        text = read_body(client.get(f"{make_address(name, 0)}?export=csv&month="))
        assert find_foreign(text), name
    assert client.get(make_address("account", 1)).status_code == 200
    assert client.get(make_address("bill", 1)).status_code == 200
    seen = read_body(sign_in("collector").get("/accounts/?export=csv"))
    assert seen.count("37000000") == 80  # a third of 240


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_an_auditor_writes_nothing(name: str, sign_in: Any) -> None:
    view, address = PATTERNS[name].callback, make_address(name, 0)
    client = sign_in("auditor")
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(client, method)(address)
        if getattr(view, "public", False) or getattr(view, "harmless", False):
            assert answer.status_code != 500
            client = sign_in("auditor")
        else:
            assert answer.status_code == 403
            assert "审计" in read_body(answer) or "权限" in read_body(answer) or "角色" in read_body(answer)


def test_a_role_is_asked_again_below_the_page() -> None:
    from recoup.domains.access.models import Staff
    from recoup.domains.access.permissions import CAPABILITIES, HARMLESS, NotPermitted, require

    assert CAPABILITIES["auditor"] <= HARMLESS
    for capability in ("record_outcome", "load", "sign", "set_target", "manage_staff"):
        with pytest.raises(NotPermitted, match="ask one of"):
            require(Staff(username="a", role="auditor"), capability)
    with pytest.raises(NotPermitted):
        require(Staff(username="m", role="manager", is_active=False), "sign")


def test_names_are_masked_until_revealed_for_a_reason_that_is_recorded(sign_in: Any) -> None:
    client, address = sign_in("collector"), make_address("account", 0)
    assert "Party 0003" not in read_body(client.get(address)) and "P***y" in read_body(client.get(address))
    assert "Party 0" not in read_body(client.get("/accounts/?export=csv"))
    before = count_events("REVEAL")
    assert "Party 0003" not in read_body(client.post(f"{address}reveal/", {"reason": " x "}))
    assert count_events("REVEAL") == before
    assert "Party 0003" in read_body(client.post(f"{address}reveal/", {"reason": "客户来电核对"}))
    assert count_events("REVEAL") == before + 1
    assert "Party 0003" not in read_body(client.get(address))
    assert client.post("/accounts/370000000004/reveal/", {"reason": "客户来电核对"}).status_code == 404
    assert count_events("REVEAL") == before + 1


def test_masking_keeps_what_identifies_nobody_and_masks_only_once() -> None:
    from recoup.domains.parties.masking import mask_address, mask_name, mask_phone

    cases = {
        mask_name: {"王小英": "王*英", "王英": "王*", "欧阳小英": "欧**英", "王": "*", "Ann Lee": "A*n L*e"},
        mask_phone: {"13812341234": "138****1234", "1234567": "*******"},
        mask_address: {"望海路12号3号楼501室": "望海路**号**号楼**室"},
    }
    for mask, pairs in cases.items():
        for plain, masked in pairs.items():
            assert mask(plain) == masked
            assert mask(masked) == masked
    assert mask_name("烟台海晟商贸有限公司", "FIRM") == "烟台海晟商贸有限公司"


def test_an_export_is_exact_marked_and_recorded(sign_in: Any) -> None:
    from python_calamine import CalamineWorkbook

    client, before = sign_in("collector"), count_events("EXPORT")
    raw = b"".join(client.get("/accounts/?export=csv&sort=owed_minor&order=desc").streaming_content)
    assert raw.startswith("\ufeff".encode())
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert "collector" in rows[-1][0] and "SIMULATED" in rows[-1][0]
    owed = [row[-1] for row in rows[1:-1]]
    assert all(re.fullmatch(r"\d+\.\d\d", amount) for amount in owed)
    assert sorted(owed, key=lambda amount: int(amount.replace(".", "")), reverse=True) == owed
    sheet = b"".join(client.get("/accounts/?export=xlsx").streaming_content)
    cells = CalamineWorkbook.from_filelike(io.BytesIO(sheet)).get_sheet_by_index(0).to_python()
    assert cells[1][0] == "370000000003" and "SIMULATED" in str(cells[-1][0])
    assert {f"{float(row[-1]):.2f}" for row in cells[1:-1]} == set(owed)
    assert count_events("EXPORT") == before + 2


def test_a_spreadsheet_takes_no_cell_for_a_formula() -> None:
    from recoup.web.console.exports import _defuse
    from recoup.web.console.tables import Column

    assert _defuse('=HYPERLINK("x")', Column("a", "a", "a")) == '\'=HYPERLINK("x")'
    assert _defuse("-1.00", Column("a", "a", "a", "money")) == "-1.00"


def test_a_list_sorts_by_its_own_columns_only_and_turns_its_pages(sign_in: Any) -> None:
    client = sign_in("manager")
    first = FOREIGN_ROW.findall(read_body(client.get("/accounts/")))
    second = FOREIGN_ROW.findall(read_body(client.get("/accounts/?page=2")))
    assert set(first).isdisjoint(second)
    for wild in ("sort=1;DROP TABLE staff", "page=0", "page=99999999999", "unit='", "order=desc;--", "q=%00%25_'"):
        assert client.get(f"/accounts/?{wild}").status_code == 200


@pytest.mark.parametrize(("language", "words"), [("zh-hans", "催收工作"), ("en", "Work list")])
def test_both_languages_are_spoken_and_remembered(language: str, words: str, sign_in: Any) -> None:
    from recoup.domains.access.queries import find_staff

    client = sign_in("clerk")
    assert client.post("/language/", {"language": language, "next": "/accounts/"}).headers["Location"] == "/accounts/"
    assert words in read_body(client.get("/accounts/"))
    found = find_staff("clerk")
    assert found is not None and found.language == language


def test_a_name_is_locked_after_wrong_passwords_and_opens_again(sign_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings

    from recoup.engine import clock

    client, right = sign_in(None), {"username": "manager", "password": PASSWORD}
    for _ in range(settings.LOCK_AFTER_WRONG_PASSWORDS):
        assert client.post("/sign-in/", {**right, "password": "wrong"}).status_code == 403
    assert "锁定" in read_body(client.post("/sign-in/", right))
    assert "锁定" not in read_body(client.post("/sign-in/", {"username": "nobody", "password": "wrong"}))
    later = clock.now() + timedelta(minutes=settings.LOCK_MINUTES + 1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert client.post("/sign-in/", {**right, "next": "//elsewhere.example/"}).headers["Location"] == "/"


def test_a_session_at_rest_ends(sign_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings

    from recoup.engine import clock

    client, begun = sign_in("admin"), clock.now()
    assert client.get("/accounts/").status_code == 200
    minutes = settings.SESSION_IDLE_MINUTES
    monkeypatch.setattr(clock, "now", lambda: begun + timedelta(minutes=minutes - 1))
    assert client.get("/accounts/").status_code == 200
    monkeypatch.setattr(clock, "now", lambda: begun + timedelta(minutes=2 * minutes + 1))
    assert client.get("/accounts/").status_code == 302


def test_one_who_is_barred_or_has_a_new_password_is_out_at_once(sign_in: Any) -> None:
    boss, clerk = sign_in("admin"), sign_in("clerk")
    assert clerk.get("/accounts/").status_code == 200
    shown = read_body(boss.post("/staff/clerk/password/"))
    assert "clerk" in shown and clerk.get("/accounts/").status_code == 302
    clerk = sign_in("clerk")
    assert boss.post("/staff/clerk/bar/").status_code == 302
    assert clerk.get("/accounts/").status_code == 302
    boss.post("/staff/clerk/bar/")
    assert sign_in("manager").post("/staff/clerk/bar/").status_code == 403


def test_a_form_without_its_token_is_refused(sign_in: Any) -> None:
    client = sign_in("admin", enforce_csrf_checks=True)
    assert client.post("/staff/collector/bar/").status_code == 403


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_pages_carry_no_script_or_style_of_their_own(name: str, sign_in: Any) -> None:
    """So that the policy need allow none."""
    answer = sign_in("admin").get(make_address(name, 0))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY" and answer.headers["X-Content-Type-Options"] == "nosniff"
    if not answer.headers["Content-Type"].startswith("text/html"):
        return
    text = read_body(answer)
    assert not re.search(r'<[^>]+\s(style|on[a-z]+)="', text)
    assert not re.search(r'<script(?![^>]*(\bsrc=|type="application/json"))', text)
    assert not re.search(r'(src|href|action)="(https?:)?//', text)
    if answer.status_code == 200:
        assert "SIMULATED" in text


def test_the_five_people_of_a_demonstration_have_passwords_of_this_home_alone(
    loaded_book: str, enter_copy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recoup.cli.demo_people import PEOPLE, ensure_people
    from recoup.domains.access.queries import find_staff

    monkeypatch.setattr("django.contrib.auth.hashers.PBKDF2PasswordHasher.iterations", 10)
    enter_copy(loaded_book)
    passwords = ensure_people()
    assert ensure_people() == passwords and len(set(passwords.values())) == len(PEOPLE) == 5
    for person in PEOPLE:
        staff = find_staff(person.username)
        assert staff is not None and staff.role == person.role and staff.check_password(passwords[person.username])
    collector = find_staff("collector")
    assert collector is not None and collector.org_unit == "S1"


def test_a_person_is_refused_with_a_weak_password_an_unknown_unit_or_a_taken_name(book: str) -> None:
    from recoup.domains.access.operations import StaffRefused, add_staff

    right = {"username": "new", "name": "New", "role": "clerk", "org_unit": "D2", "password": PASSWORD}
    wrong = {"password": "1234567890", "org_unit": "D99", "username": "collector", "role": "owner", "name": " "}
    for key, value in wrong.items():
        with pytest.raises(StaffRefused):
            add_staff(**{**right, key: value})


def test_the_console_is_served_until_stopped_with_its_own_files(book: str) -> None:
    import os
    import signal
    import subprocess
    import sys
    import urllib.request

    from recoup.cli.serve import find_free_port

    port = find_free_port("127.0.0.1", 0)
    command = [sys.executable, "-c", "from recoup.cli.main import run; run()", "serve", "--port", str(port)]
    environment = {**os.environ, "NO_PROXY": "*", "no_proxy": "*"}
    with subprocess.Popen([*command, "--workers", "1"], stdout=subprocess.PIPE, text=True, env=environment) as served:
        try:
            assert served.stdout is not None and f"http://127.0.0.1:{port}/" in served.stdout.readline()
            page = _fetch_when_up(f"http://127.0.0.1:{port}/sign-in/")
            assert "SIMULATED" in page
            for name in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{name}") as answer:
                    assert "max-age=31536000" in answer.headers["Cache-Control"]
            served.send_signal(signal.SIGINT)
            assert served.wait(timeout=20) is not None
        finally:
            served.kill()


def _fetch_when_up(address: str) -> str:
    import time
    import urllib.error
    import urllib.request

    for _ in range(100):
        try:
            with urllib.request.urlopen(address) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            time.sleep(0.2)
    raise AssertionError("the console did not answer within 20 seconds")
