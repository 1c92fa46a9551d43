"""What each figure means, in one sentence of either language, to be printed beside the number.

docs/guides/indicators.md says the same at length; a test holds that every figure printed has its sentence.
"""

from collections.abc import Mapping

from recoup.labels import LANGUAGES

# zh, en.
_SENTENCES: Mapping[str, tuple[str, str]] = {
    "collection_rate_cumulative": ("已收 ÷ 应收（含年初结转）", "received / receivable, with what was carried over"),
    "collection_rate_current": (
        "（已收 − 收回陈欠）÷（应收 − 年初结转）",
        "received on this year's debts / this year's debts",
    ),
    "collection_rate_prior": ("收回陈欠 ÷ 年初结转陈欠", "received on prior debts since 1 January / carried over"),
    "receivable": (
        "本年发行的本金 + 年初结转陈欠，不含违约金",
        "principal issued this year + carried over; no late charges",
    ),
    "carried": ("往年发行、1 月 1 日仍未收的本金", "principal of earlier years open at 1 January"),
    "received": (
        "核销到上述应收的款项，不含预收和违约金",
        "money applied to that receivable; no advances, no late charges",
    ),
    "received_prior": ("1 月 1 日起核销到陈欠的款项", "money applied to prior principal since 1 January"),
    "receivable_open": ("未收本金，不论是否到期", "principal not received, due or not"),
    "arrears": (
        "已逾期的未收本金；缴费截止日次日为第 1 天",
        "open principal overdue; day 1 is the day after the due day",
    ),
    "arrears_current": ("欠费中本年发行的部分", "of the arrears, what was issued this year"),
    "arrears_prior": ("欠费中往年发行的部分", "of the arrears, what was issued in earlier years"),
    "billed": (
        "自首个营业日起发行的账单金额，不含违约金",
        "bills issued since the first business day; no late charges",
    ),
    "billed_by_month": ("应收发行按发行月份", "billed by month of issue"),
    "collected": (
        "收到的款项减去被冲回的款项，不论用于何处",
        "money received less what was taken back, whatever it paid",
    ),
    "collected_by_month": ("实收按月份", "collected by month"),
    "unapplied": ("已收但未核销到任何应收的款项", "money received and not applied to any debt"),
    "unapplied_by_state": ("按状态：预收、在途、待认领", "by state: advance, in transit, in suspense"),
    "prior_arrears": ("逾期未收的往年本金", "overdue principal issued in earlier years"),
    "bills": ("自首个营业日起发行的账单", "bills issued since the first business day"),
    "payments": ("自首个营业日起的收款", "payments received since the first business day"),
    "actions": ("截至当日作出的催收行动决定", "actions decided up to the day"),
    "quarantined": ("未能装入的文件行", "rows of files that were refused"),
    "conflicts": ("同一凭证号内容不同的行", "known keys that came again with other content"),
    "advance": ("已收、可用但未核销的款项", "money received, free and not applied"),
    "in_transit": ("已在途、尚未到账的款项", "money on its way, not arrived"),
    "suspense": ("已到账、待确认归属的款项", "money arrived, its owner not yet settled"),
    "arrears_contracts": ("有逾期未收本金的供用电合同", "supply contracts with overdue principal"),
    "late_charges_booked": ("已入账的违约金，扣除减记", "late charges booked, less those lowered"),
    "late_charges_accrued": ("按日计到当天、尚未入账的违约金", "late charges run up to the day and not booked"),
    "late_charges_open": ("已入账未收的违约金", "late charges booked and not received"),
    "ageing": ("未收本金按逾期天数分段", "open principal by days overdue"),
    "accounts_by_stage": ("按当日决定后所处的催收阶段", "by the stage after the day's decision"),
    "accounts": ("账册中的户号数", "account numbers in the book"),
    "contracts_in_force": ("当日有效的供用电合同", "supply contracts in force on the day"),
    "base_receivable": (
        "当年：本年发行的本金；陈欠：年初结转；累计：两者之和",
        "current: principal issued this year; prior: carried over; cumulative: both",
    ),
    "base_received": ("核销到该口径应收的款项", "money applied to the receivable of that base"),
    "target": ("由有权人员按单位、指标、起始日设定", "set by unit, rate and first day, with who set it"),
    "gap": (
        "目标 × 应收 − 已收，按同一口径，四舍五入一次",
        "target x receivable - received, in the same base, rounded once",
    ),
    "needed": (
        "按未收金额从大到小，累计到缺口为止的客户",
        "the largest open amounts first, until their sum reaches the gap",
    ),
    "as_it_stood": (
        "截至当日已入账的事实；以后得知的计入得知之日",
        "what was booked by that day; what was told later stands in the later report",
    ),
    "reported": ("有签名、不再改变的数字", "the signed figures, which never change"),
    "known_now": ("按真实发生日，用目前所知的全部事实", "by true days, over all that is known now"),
    "unexplained": ("差异中没有事实可以说明的部分，应为零", "what no fact told since explains: must be nothing"),
}


def define(name: str, language: str) -> str:
    """The sentence of a figure in a language (zh, en); nothing for a figure without one."""
    pair = _SENTENCES.get(name)
    return pair[LANGUAGES.index(language)] if pair else ""
