"""The table on a terminal."""


def number(v):
    if v is None:
        return "-"
    return "%.*f" % (0 if abs(v) >= 1000 else 1 if abs(v) >= 100 else 2, v)


def ratio(r, key, form="%.2f"):
    return form % r[key] if key in r else ""


def cpu_table(rows):
    print("\nCPU of the whole process tree, per request")
    print("%-18s %-24s %7s %7s %7s %7s %8s %7s %7s" % (
        "", "", "us", "kernel", "spread", "x tcp", "x plain", "x jwt",
        "req/s"))
    for r in rows:
        what = r["what"] if r["who"] == "mcpgw" else ""
        print("%-18s %-24s %7s %7s %7s %7s %8s %7s %7s" % (
            what, r["who"], number(r["value"]),
            ratio(r["ratio"], "kernel"),
            "+-%.0f%%" % (100 * r["spread"]), ratio(r["ratio"], "tcp"),
            ratio(r["ratio"], "plain"), ratio(r["ratio"], "jwt"), ratio(r["ratio"], "rate", "%.0f")))


def other_table(rows):
    print("\nBeside it")
    for r in rows:
        if r["value"] is None:
            print("%-36s %s" % (r["what"], r["who"]))
            continue
        text = "%-36s %-14s %9s %-10s" % (r["what"], r["who"],
                                          number(r["value"]), r["unit"])
        if r["spread"] is not None:
            text += " +-%.0f%%" % (100 * r["spread"])
        if r["ratio"].get("direct"):
            text += "  (%+.0f)" % r["ratio"]["direct"]
        print(text)


def goal_table(goals):
    print("\nGoals")
    for g in goals:
        print("%-46s %9s  %s %9s %-4s %s" % (
            g["what"], number(g["value"]),
            "at least" if g["at_least"] else "at most ",
            number(g["limit"]), g["unit"],
            "reached" if g["reached"] else "NOT REACHED"))


def show(table):
    cpu_table([r for r in table.rows if "plain" in r.get("ratio", {})])
    other_table([r for r in table.rows if "plain" not in r.get("ratio", {})])
    goal_table(table.goals)
