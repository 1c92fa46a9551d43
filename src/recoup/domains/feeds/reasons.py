"""Why a row or a file was refused, in words. Stored codes are UPPER_SNAKE; a code never changes its meaning."""

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """A reason in both languages."""

    zh: str
    en: str


ROW_REASONS: Mapping[str, Words] = {
    "LINE_TOO_LONG": Words("行长超过 1 MiB", "the line is longer than 1 MiB"),
    "NOT_UTF8": Words("该行不是 UTF-8 编码", "the line is not UTF-8"),
    "CONTROL_CHARACTER": Words("含有 NUL 字符", "the line contains a NUL character"),
    "RAGGED_LINE": Words("列数与表头不符", "the line has another number of fields than the header"),
    "BROKEN_QUOTES": Words("引号不成对或位置不对", "quotes are not closed or stand inside a field"),
    "MISSING_VALUE": Words("必填项为空", "a required value is missing"),
    "NOT_A_NUMBER": Words("不是数字", "not a number"),
    "NOT_A_DATE": Words("不是日期（应为 YYYY-MM-DD）", "not a date (YYYY-MM-DD expected)"),
    "NOT_AN_INSTANT": Words("不是带时区的时刻", "not an instant with its offset"),
    "TOO_MANY_DIGITS": Words("小数位数超过允许", "more decimal digits than this column or currency has"),
    "NEGATIVE_VALUE": Words("不应为负", "must not be negative"),
    "OUT_OF_BOUNDS": Words("超出合理范围", "outside plausible bounds"),
    "DATE_OUT_OF_BOUNDS": Words("日期超出合理范围", "the date is outside plausible bounds"),
    "TOO_LONG": Words("文字过长", "the text is too long"),
    "UNKNOWN_VALUE": Words("不在允许的取值之内", "not one of the allowed values"),
    "UNKNOWN_DENOM": Words("未知币种", "unknown currency"),
    "EMPTY_PERIOD": Words("结束不晚于开始", "the period ends before it begins"),
    "OPEN_ABOVE_AMOUNT": Words("未收金额大于原金额", "more is open than the amount"),
    "REVERSES_ITSELF": Words("冲正行须有自己的编号", "a reversal has a key of its own, other than the one it reverses"),
    "UNKNOWN_ORG_UNIT": Words("供电单位不存在", "no such org unit"),
    "UNKNOWN_PARTY": Words("客户不存在", "no such party"),
    "UNKNOWN_PAYER": Words("付款人不存在", "no such payer"),
    "UNKNOWN_ACCOUNT": Words("户号不存在", "no such account"),
    "UNKNOWN_CONTRACT": Words("供用电合同不存在", "no such contract"),
    "UNKNOWN_SERVICE_POINT": Words("计量点不存在", "no such service point"),
    "UNKNOWN_TOUCH": Words("没有对应的催费记录", "no such touch"),
    "DIGITS_LOST": Words(
        "号码或数字已丢失位数（如 1.23457E+12）：请把该列设为文本格式后重新导出",
        "digits are lost (as in 1.23457E+12): format the column as text and export again",
    ),
    "WRONG_LENGTH": Words(
        "按数字存放的户号位数不对，前导零可能已丢失：请把该列设为文本格式后重新导出",
        "stored as a number with another count of digits than an account number has, leading zeros may be lost: "
        "format the column as text and export again",
    ),
    "NUMBER_AS_KEY": Words(
        "编号被存成小数或日期：请把该列设为文本格式后重新导出",
        "a number stored as a fraction or a day: format the column as text and export again",
    ),
    "AMBIGUOUS_ACCOUNT": Words(
        "旧户号对应多个户号：请改用新户号", "an old number of several accounts: write the new account number"
    ),
    "NO_CONTRACT_THEN": Words(
        "该日期此户号尚无供用电合同：请核对日期，或先装入合同",
        "the account had no contract on that day: check the day, or load the contract first",
    ),
    "SUM_DIFFERS": Words("应收减实收不等于欠费", "what is owed less what is paid is not what is open"),
    "SUPERSEDES_OTHER_KEY": Words(
        "更正行须沿用原键；此行指向另一条记录", "a correction repeats the key it corrects; this row names another one"
    ),
}


def in_words(reason: str, language: str) -> str:
    """The words of a reason; the code itself when it is not known here."""
    words = ROW_REASONS.get(reason)
    if words is None:
        return reason
    return words.zh if language == "zh" else words.en
