"""Words of terminal and page, Chinese and English. Reasons and rungs bring their own from the rulebook."""

from collections.abc import Mapping
from typing import Any

LANGUAGES = ("zh", "en")

_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("电费回收报告", "Collection report"),
    "as_of": ("截止日", "As of"),
    "simulated": ("模拟数据", "SIMULATED DATA"),
    "denom": ("币种", "Currency"),
    "run": ("运行", "Run"),
    "book": ("账册", "Book"),
    "rulebook": ("规则集", "Rulebook"),
    "rulebook_changed": ("规则集此后已变更", "the rulebook has changed since"),
    "accounts": ("户数", "Accounts"),
    "contracts": ("合同数", "Contracts"),
    "contracts_in_force": ("在用合同", "Contracts in force"),
    "bills": ("账单数", "Bills"),
    "payments": ("收款笔数", "Payments"),
    "billed": ("应收发行", "Billed"),
    "billed_kwh": ("售电量（千瓦时）", "Energy billed (kWh)"),
    "collected": ("实收", "Collected"),
    "collection_rate_current": ("当年电费回收率", "Current rate"),
    "collection_rate_cumulative": ("累计电费回收率", "Cumulative rate"),
    "collection_rate_prior": ("陈欠回收率", "Prior-year rate"),
    "receivable": ("应收（含年初结转）", "Receivable (with carried over)"),
    "received": ("已收", "Received on it"),
    "carried": ("年初结转陈欠", "Carried over at 1 January"),
    "received_prior": ("收回陈欠", "Received on prior years"),
    "receivable_open": ("应收余额", "Receivable still open"),
    "arrears": ("欠费（逾期本金）", "Arrears (overdue principal)"),
    "arrears_current": ("其中：当年", "of this year"),
    "arrears_prior": ("其中：往年", "of earlier years"),
    "receivables": ("应收、欠费与违约金", "Receivables, arrears, late charges"),
    "late_charge": ("违约金", "Late charge"),
    "late_charges_booked": ("违约金已入账", "Late charges booked"),
    "late_charges_accrued": ("违约金已计未入账", "Late charges accrued, not booked"),
    "late_charges_open": ("违约金未收", "Late charges open"),
    "unapplied": ("未核销款项", "Money not yet applied"),
    "by_month": ("按月：应收发行与实收", "By month: billed and collected"),
    "month": ("月份", "Month"),
    "ageing": ("账龄（未收本金）", "Ageing of open principal"),
    "not_overdue": ("未逾期", "not overdue"),
    "days": ("天", "days"),
    "items": ("笔数", "Items"),
    "amount": ("金额", "Amount"),
    "share": ("占比", "Share"),
    "rows": ("数量", "Count"),
    "accounts_by_stage": ("各催收阶段户数", "Accounts by stage"),
    "stage": ("阶段", "Stage"),
    "stage_0": ("未催收", "none"),
    "actions_by_channel": ("催收行动（累计，按渠道）", "Actions by channel, to date"),
    "SMS": ("短信", "message"),
    "CALL": ("电话", "call"),
    "VISIT": ("上门", "visit"),
    "decisions_by_reason": ("当日决定原因（每份合同一条）", "Decisions of the day by reason"),
    "reason": ("原因", "Reason"),
    "determinants_corrected": ("按原系统总量计费的账单", "Bills on a stated total"),
    "read_kwh": ("示数差（千瓦时）", "Read (kWh)"),
    "billed_kwh_short": ("计费（千瓦时）", "Billed (kWh)"),
    "difference_kwh": ("差额（千瓦时）", "Difference (kWh)"),
    "quality": ("数据质量", "Quality of the data"),
    "quarantined": ("隔离行", "Rows in quarantine"),
    "conflicts": ("冲突", "Conflicts"),
    "issues_by_kind": ("运行中未能处理的记录", "Input the runs refused"),
    "feeds": ("数据源", "Feeds"),
    "watermark_at": ("数据截至", "Watermark"),
    "age_hours": ("时效（小时）", "Age (hours)"),
    "none": ("无", "none"),
    "simulation": ("模拟器与公开数据对照", "The simulator against its targets"),
    "measure": ("指标", "Measure"),
    "target": ("目标", "Target"),
    "measured": ("实测", "Measured"),
    "tolerance": ("容差", "Tolerance"),
    "cases": ("样本", "Cases"),
    "delay_p05": ("缴费早晚 5% 分位", "delay p05"),
    "delay_p25": ("缴费早晚 25% 分位", "delay p25"),
    "delay_p50": ("缴费早晚中位数", "delay p50"),
    "delay_p75": ("缴费早晚 75% 分位", "delay p75"),
    "delay_p90": ("缴费早晚 90% 分位", "delay p90"),
    "delay_p95": ("缴费早晚 95% 分位", "delay p95"),
    "delay_p99": ("缴费早晚 99% 分位", "delay p99"),
    "late_share": ("迟缴账单占比", "share of bills late"),
    "customer_late_share_p25": ("客户迟缴率 25% 分位", "late share of a customer, p25"),
    "customer_late_share_p50": ("客户迟缴率中位数", "late share of a customer, p50"),
    "customer_late_share_p75": ("客户迟缴率 75% 分位", "late share of a customer, p75"),
    "roll_current_to_late": ("正常 → 逾期一月及以上", "current → a month late"),
    "roll_two_months_to_current": ("逾期两月 → 正常", "two months late → current"),
    "roll_two_months_to_one": ("逾期两月 → 一月", "two months late → one"),
    "roll_two_months_stays": ("逾期两月 → 不变", "two months late → stays"),
    "roll_three_months_to_current": ("逾期三月 → 正常", "three months late → current"),
    "definitions": ("口径", "Definitions"),
    "page_written": ("网页报告", "Page"),
    "contract": ("合同", "Contract"),
    "account_no": ("户号", "Account"),
    "old_account_no": ("旧户号", "Old number"),
    "class": ("用电类别", "Class"),
    "org_unit": ("供电单位", "Unit"),
    "validity": ("合同期", "In force"),
    "action": ("行动", "Action"),
    "blocked_by": ("未通过的条件", "Checks that failed"),
    "change": ("怎样会改变", "What would change it"),
    "values": ("读到的值", "Values read"),
    "limits": ("比较的参数", "Compared with"),
    "strategy": ("策略", "Strategy"),
    "source": ("依据", "Source"),
    "open_items": ("未清账项", "Open items"),
    "due_on": ("缴费截止日", "Due"),
    "overdue_from_on": ("逾期起始日", "Overdue from"),
    "open": ("未收", "Open"),
    "holds": ("暂停", "Holds"),
    "touches": ("近期催收", "Last contacts"),
    "bill": ("账单", "Bill"),
    "period": ("计费期间", "Period"),
    "issued_on": ("发行日", "Issued"),
    "determinant": ("计费电量", "Energy"),
    "reading": ("抄表", "Reading"),
    "corrected": ("按原系统总量计费，替代示数差", "the stated total replaced the index difference"),
    "lines": ("明细", "Lines"),
    "free": ("免费电量", "free"),
    "allocations": ("收款核销", "Payments applied"),
    "total": ("合计", "Total"),
    "no_corrections": ("没有以总量替代示数差的账单", "No bill replaced an index difference"),
    "bill_no": ("账单号", "Bill"),
    "function": ("职能", "Function"),
    "mode": ("方式", "Mode"),
    "own": ("本系统", "own"),
    "external": ("外部系统", "external"),
    "on": ("日期", "day"),
    "check": ("条件", "Check"),
    "item_key": ("账项", "Item"),
    "overdue": ("逾期金额", "overdue"),
    "oldest_overdue_days": ("最长逾期天数", "oldest, days overdue"),
    "overdue_bills": ("逾期账单", "bills overdue"),
    "in_transit": ("在途款项", "in transit"),
    "held": ("被暂停金额", "held"),
    "hold_key": ("暂停编号", "Hold"),
    "hold_reason": ("暂停原因", "hold"),
    "valid_from": ("自", "From"),
    "valid_to": ("至", "To"),
    "stage_from": ("已达阶段", "stage"),
    "last_touch_on": ("上次催收", "last contact"),
    "wait_days": ("等待天数", "days waited"),
    "episode_from_on": ("本次拖欠始于", "episode since"),
    "minimum": ("起催金额", "minimum"),
    "missing": ("尚差", "missing"),
    "feed_age_hours": ("数据时效（小时）", "age of the feed, hours"),
    "feed_limit_hours": ("时效上限（小时）", "limit, hours"),
    "overdue_days_from": ("逾期天数达", "days overdue from"),
    "bills_from": ("逾期账单达", "bills from"),
    "repeat_days": ("重复间隔", "repeat, days"),
    "capacity_pool": ("处理队列", "pool"),
    "capacity_per_10k": ("每万户能力", "capacity per 10,000"),
    "capacity_cutoff": ("入选最低金额", "least admitted"),
    "sent_on": ("发出日", "Sent"),
    "action_code": ("行动", "Action"),
    "channel": ("渠道", "Channel"),
    "cap": ("上限", "cap"),
    "pass:NO_DEBT": ("有未清账项", "an item is open"),
    "pass:NOT_OVERDUE": ("有账项逾期", "an open item is overdue"),
    "pass:BELOW_MINIMUM": ("逾期金额达到起催金额", "overdue reaches the minimum"),
    "pass:MONEY_UNAPPLIED": ("没有待核销的款项", "no money waits to be applied"),
    "pass:MONEY_IN_TRANSIT": ("没有在途款项", "no money is on its way"),
    "pass:HOLD_DUN": ("催收未被暂停", "no hold stops dunning"),
    "pass:NO_STRATEGY": ("有适用的策略", "a strategy applies"),
    "pass:EXTERNAL_OBSERVE": ("本账册可以行动", "the book may act"),
    "pass:STALE_FEED": ("数据源未过期", "no feed is too old"),
    "pass:STAGE_WAIT": ("等待期已满", "the wait is over"),
    "pass:STAGE_CONDITION": ("达到下一阶段条件", "the next rung's condition is met"),
    "pass:CAPACITY": ("在处理能力之内", "within the capacity"),
    "pass:MOVED": ("截取后无变动", "nothing moved since the cut"),
}

DEFINITIONS = (
    (
        "逾期：缴费截止日次日起；违约金自该日起逐日计算。",
        "Overdue: from the day after the due day, from which the late charge runs by the day.",
    ),
    (
        "迟缴：晚于缴费截止日一天及以上；逾期天数从 1 起计。",
        "Late: at least one day after the due day; days overdue count from 1.",
    ),
    (
        "欠费：逾期未收的电费本金，不含违约金，不含未到期。",
        "Arrears: overdue principal not received; no late charges, nothing not yet due.",
    ),
    (
        "陈欠：往年发行、1 月 1 日仍未收的本金。三个回收率只计本金，不计违约金。",
        "Prior: principal issued in earlier years and open at 1 January. The three rates count principal only.",
    ),
    (
        "一切按入账日截止统计：以后得知的事实计入得知之日的报告。",
        "All figures count what was booked by the day: what became known later stands in the later report.",
    ),
)


class Labels:
    """Words in one language; an unknown key is shown as it is."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._at = LANGUAGES.index(language)

    def __call__(self, key: str) -> str:
        """The word of a key."""
        words = _WORDS.get(key)
        return words[self._at] if words else key

    def of(self, words: Mapping[str, Any] | None) -> str:
        """The text of a pair {"zh", "en"}; nothing of nothing."""
        return str(words[self.language]) if words else ""

    def definitions(self) -> list[str]:
        """What the figures mean, sentence by sentence."""
        return [pair[self._at] for pair in DEFINITIONS]

    def bucket(self, name: str) -> str:
        """An ageing bucket in words."""
        return self(name) if name == "not_overdue" else f"{name} {self('days')}"


def grouped(amount: str | None) -> str:
    """A decimal string with its thousands apart: "1234.50" is "1,234.50"."""
    if amount is None:
        return "–"
    whole, dot, part = amount.partition(".")
    return f"{int(whole):,}{dot}{part}" if not whole.startswith("-0") else amount


def percent(share: str | None) -> str:
    """A decimal share of six digits as a percentage with two, half away from zero: "0.784000" is "78.40 %"."""
    if share is None:
        return "–"
    hundredths = (int(share.replace(".", "")) + 50) // 100
    return f"{hundredths // 100}.{hundredths % 100:02} %"
