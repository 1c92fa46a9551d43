"""The columns of the tables on the page of an account."""

from collections.abc import Mapping
from typing import Any

from recoup.database.listing import Row
from recoup.rulebook.schema import Subjects
from recoup.web.console.language import Title
from recoup.web.console.reading import current_law
from recoup.web.console.tables import Column, to_bill


def _warn_overdue(row: Row) -> str:
    return "bad" if row.get("days_overdue") else ""


def _open_bill(row: Row) -> str | None:
    return to_bill(row) if row.get("has_bill") else None


OWED = (
    Column("bill_no", "账单", "Bill", "code", link=_open_bill),
    Column("component", "款项", "Item", "mark"),
    Column("due_on", "缴费截止日", "Due", "day"),
    Column("overdue_from_on", "逾期起始日", "Overdue from", "day"),
    Column("days_overdue", "逾期天数", "Days overdue", "count", tone=_warn_overdue),
    Column("open_minor", "未收本金", "Principal open", "money"),
    Column("late_open_minor", "违约金未收", "Late charge open", "money"),
    Column("unbooked_minor", "违约金未入账", "not yet booked", "money"),
    Column("total_minor", "合计", "Total", "money"),
)
HOLDS = (
    Column("reason", "原因", "Reason", "mark"),
    Column("valid_from", "自", "From", "day"),
    Column("valid_to", "至", "To", "day"),
    Column("stops_dun", "暂停催收", "Stops dunning", "yesno"),
    Column("stops_late_charge", "停计违约金", "Stops late charge", "yesno"),
    Column("stops_disconnect", "暂停停电", "Stops disconnection", "yesno"),
    Column("item_key", "账项", "Item", "code"),
    Column("hold_key", "编号", "Key", "code"),
)
CREDITS = (
    Column("state", "状态", "State", "mark"),
    Column("value_on", "付款日", "Paid on", "day"),
    Column("amount_minor", "金额", "Amount", "money"),
    Column("open_minor", "未核销", "Not applied", "money"),
    Column("item_key", "账项", "Key", "code"),
)
BILLS = (
    Column("bill_no", "账单号", "Bill", "code", link=to_bill),
    Column("period_from", "计费自", "From", "day"),
    Column("period_to", "至（不含）", "To (excl.)", "day"),
    Column("issued_on", "发行日", "Issued", "day"),
    Column("due_on", "缴费截止日", "Due", "day"),
    Column("energy_wh", "电量（千瓦时）", "Energy (kWh)", "kwh"),
    Column("amount_minor", "金额", "Amount", "money"),
    Column("open_minor", "未收", "Open", "money"),
)
PAYMENTS = (
    Column("value_on", "付款日", "Paid on", "day"),
    Column("received_on", "到账日", "Received on", "day"),
    Column("channel", "渠道", "Channel", "mark"),
    Column("channel_key", "流水号", "Receipt", "code"),
    Column("amount_minor", "金额", "Amount", "money"),
    Column("designation", "指定账项", "Designated for", "code"),
    Column("reverses", "冲回", "Reverses", "code"),
)
EPISODES = (
    Column("episode_from_on", "自", "Since", "day"),
    Column("running", "进行中", "Running", "yesno"),
    Column("strategy", "策略", "Strategy", "code"),
    Column("version", "版本", "Version", "number"),
    Column("arm", "分组", "Arm", "code"),
    Column("contract_key", "合同", "Contract", "code"),
)


def columns_of_subjects(words: Mapping[str, Any]) -> tuple[Column, ...]:
    """Balances by subject."""
    return (
        Column("subject", "科目", "Subject", words=words),
        Column("postings", "分录数", "Postings", "count"),
        Column("amount_minor", "余额（借为正）", "Balance (debit +)", "money"),
    )


def columns_of_postings(words: Mapping[str, Any]) -> tuple[Column, ...]:
    """Lines of entries."""
    return (
        Column("booked_on", "入账日", "Booked", "day"),
        Column("value_on", "起息日", "Value day", "day"),
        Column("kind", "类型", "Kind", "mark"),
        Column("subject", "科目", "Subject", words=words),
        Column("debit_minor", "借方", "Debit", "money"),
        Column("credit_minor", "贷方", "Credit", "money"),
        Column("origin_key", "来源", "Origin", "code"),
        Column("run_no", "运行", "Run", "number"),
    )


def columns_of_contacts(results: Mapping[str, Any]) -> tuple[Column, ...]:
    """Actions with what became of them."""
    return (
        Column("decided_on", "决定日", "Decided", "day"),
        Column("channel", "渠道", "Channel", "mark"),
        Column("stage", "阶段", "Stage", "number"),
        Column("overdue_minor", "当时逾期", "Overdue then", "money"),
        Column("sent_on", "发出日", "Sent", "day"),
        Column("delivered_on", "送达日", "Delivered", "day"),
        Column("proven", "已证实", "Proven", "yesno"),
        Column("result", "结果", "Result", "mark", words=results),
        Column("promise_on", "承诺日", "Promised for", "day"),
        Column("promise_minor", "承诺金额", "Promised", "money"),
        Column("recorded_by", "登记人", "By"),
        Column("note", "备注", "Note"),
    )


def name_subjects() -> dict[str, Title]:
    """The subjects of the ledger in words."""
    found = next(each for each in current_law().documents.documents if isinstance(each, Subjects))
    return {each.code: Title(each.title.zh, each.title.en) for each in found.values[-1].subjects}


def name_results() -> dict[str, Title]:
    """The results of contacts in words."""
    for document in current_law().documents.documents:
        if document.kind == "results":
            return {each.code: Title(each.title.zh, each.title.en) for each in document.values[-1].results}
    return {}
