"""Invariant 6: a bill is the sum of its lines, and each line says where it comes from."""

from recoup.engine.verify.scene import Finding, Scene, check, expect_none


@check(6, "`recoup why bill NUMBER` computes the bill again: cancel it and bill anew")
def lines_sum_to_their_bill(scene: Scene) -> Finding:
    """The lines of every bill of ours sum to its amount; a mirrored bill may come without lines."""
    different = """
        SELECT b.bill_no, b.amount_minor, l.minor FROM bill b
        LEFT JOIN (SELECT bill_id, booked_on, sum(amount_minor) AS minor FROM bill_line GROUP BY 1, 2) l
        USING (bill_id, booked_on)
        WHERE b.amount_minor <> l.minor OR (l.minor IS NULL AND b.run_no IS NOT NULL)
    """
    bills = scene.rows("SELECT count(*) FROM bill")[0][0]
    return expect_none(scene, different, "bills differ from the sum of their lines", f"{bills:,} bills")


@check(6, "a rule left no trace: fix the rule, cancel the bill and bill anew")
def lines_say_where_they_come_from(scene: Scene) -> Finding:
    """Every line names its rule and dated parameter; where the price is not zero, amount and quantity agree."""
    silent = """
        SELECT bill_id, line, rule_id, param_id FROM bill_line
        WHERE rule_id = '' OR param_id = '' OR component = '' OR (price_e8 = 0 AND amount_minor <> 0)
           OR (quantity = 0 AND amount_minor <> 0)
    """
    lines = scene.rows("SELECT count(*) FROM bill_line")[0][0]
    return expect_none(scene, silent, "lines do not say where they come from", f"{lines:,} lines")


CHECKS = (lines_sum_to_their_bill, lines_say_where_they_come_from)
