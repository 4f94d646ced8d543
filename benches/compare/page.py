"""The page: one self-contained file with bar charts."""

from html import escape

from figures import ratio

NAMES = {"stock": "ZooKeeper", "ours": "Ringkeeper", "bare": "the limit", "etcd": "etcd"}
COLOURS = {"stock": "#b3772f", "ours": "#1f6fb2", "bare": "#9a9a9a", "etcd": "#7a4fa3"}
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 20px;
color:#1b1b1b;background:#fff}
h1{font-size:22px;margin:0 0 4px}h2{font-size:18px;margin:40px 0 6px}
h3{font-size:15px;margin:26px 0 2px}
p{margin:4px 0}.about{color:#555}.bad{color:#a80000;font-weight:600}
table{border-collapse:collapse;margin:8px 0}td,th{padding:3px 14px 3px 0;text-align:right;
vertical-align:top;border-bottom:1px solid #e3e3e3;font-variant-numeric:tabular-nums}th{font-weight:600;color:#444}
td:first-child,th:first-child,td.text{text-align:left}
td{white-space:nowrap}td.text{white-space:normal}
td small{color:#555}
.bars{display:flex;flex-wrap:wrap;gap:0 24px}.bars svg{width:300px;height:auto}
svg text{font-size:11px;fill:#333}.whisker{stroke:#1b1b1b;stroke-width:1.2}.scroll{overflow-x:auto}
details{margin:6px 0}summary{cursor:pointer;color:#444}
"""
WIDTH, LEFT, RIGHT, STEP, TOP = 300, 72, 64, 20, 20


def number(value):
    """Three significant digits."""
    if value >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def time(us):
    return (
        f"{us / 1e6:.2f} s" if us >= 1e6 else f"{us / 1e3:.1f} ms" if us >= 1e3 else f"{us:.0f} us"
    )


def mebibytes(value):
    return f"{value / 2**20:,.0f} MiB"


def bars(title, figures, shown):
    """One bar per server: the mean, and a whisker from the lowest round to the highest."""
    figures = {server: figure for server, figure in figures.items() if figure}
    if not figures:
        return ""
    scale = (WIDTH - LEFT - RIGHT) / (max(figure.high for figure in figures.values()) or 1)
    height = TOP + STEP * len(figures) + 4
    out = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img">'
        f'<text x="0" y="12" font-weight="600">{escape(title)}</text>'
    ]
    for index, (server, figure) in enumerate(figures.items()):
        y = TOP + STEP * index
        low, mean, high = (LEFT + value * scale for value in (figure.low, figure.mean, figure.high))
        out.append(f'<text x="0" y="{y + 12}">{NAMES[server]}</text>')
        out.append(
            f'<rect x="{LEFT}" y="{y + 2}" width="{mean - LEFT:.1f}" height="13"'
            f' fill="{COLOURS[server]}"/>'
        )
        if len(figure.values) > 1:
            out.append(
                f'<path class="whisker" d="M{low:.1f} {y + 8.5}H{high:.1f}'
                f'M{low:.1f} {y + 5}v7M{high:.1f} {y + 5}v7"/>'
            )
        out.append(f'<text x="{high + 5:.1f}" y="{y + 12}">{shown(figure.mean)}</text>')
    return "".join(out) + "</svg>"


def table(head, lines):
    cells = "".join(f"<th>{escape(word)}" for word in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}" for cell in line) + "</tr>\n" for line in lines)
    return f'<div class="scroll"><table><tr>{cells}</tr>\n{body}</table></div>'


def ratio_cell(found, is_share=False):
    if not found:
        return ""
    if is_share:
        low, mean, high = (f"{value * 100:.0f}" for value in (found.low, found.mean, found.high))
        return f"<b>{mean} %</b><br><small>{low} to {high}</small>"
    return f"<b>{found.mean:.2f}x</b><br><small>{found.low:.2f} to {found.high:.2f}</small>"


def fraction_cell(ours, other):
    """Our cost as a fraction of the other's."""
    found = ratio(ours, other)
    if not found or not found.mean:
        return ""
    return f"1/{1 / found.mean:.1f}" if found.mean < 1 else f"{found.mean:.2f}x"


def summary(part, others):
    """The first table: ours against each of the others."""
    head = ["", "Ringkeeper"]
    for other in others:
        head += [f"rate / {NAMES[other]}'s" if other != "bare" else "of the limit", "CPU", "p999"]
    lines = []
    for name, servers in part.items():
        ours = servers.get("ours")
        if not ours or not ours.rate:
            continue
        line = [f'<a href="#{escape(name)}">{escape(name)}</a>', f"{number(ours.rate.mean)}/s"]
        for other in others:
            other_one = servers.get(other)
            if other_one and other_one.rate:
                line.append(ratio_cell(ratio(ours.rate, other_one.rate), other == "bare"))
                line.append(fraction_cell(ours.cpu_us, other_one.cpu_us))
                line.append(fraction_cell(ours.latency("p999"), other_one.latency("p999")))
            else:
                line += ["", "", ""]
        lines.append(line)
    return table(head, lines) if lines else ""


def section(name, about, servers):
    """A row or a workload: bars, then every figure."""
    known = {server: one for server, one in servers.items() if one.rate}
    out = [
        f'<h3 id="{escape(name)}">{escape(name)}</h3>'
        f'<p class="about">{escape(about)}</p><div class="bars">'
    ]
    out.append(
        bars("operations a second", {server: one.rate for server, one in known.items()}, number)
    )
    operation = next((one.main_operation for one in known.values()), "")
    title = f"p999 of {operation}"
    out.append(bars(title, {server: one.latency("p999") for server, one in known.items()}, time))
    out.append(
        bars(
            "server CPU-us per operation",
            {server: one.cpu_us for server, one in known.items()},
            number,
        )
    )
    out.append("</div>")
    head = [
        "",
        "mean/s",
        "best/s",
        "spread",
        "CPU-us",
        "p50",
        "p99",
        "p999",
        "generator CPU-us",
        "others",
    ]
    lines = []
    for server, one in known.items():
        line = [
            NAMES[server],
            number(one.rate.mean),
            number(one.rate.high),
            f"{one.rate.spread_percent:.0f} %",
        ]
        line.append(number(one.cpu_us.mean) if one.cpu_us else "")
        figures = [one.latency(word) for word in ("p50", "p99", "p999")]
        line += [time(figure.mean) if figure else "" for figure in figures]
        generator, others = one.of("generator_cpu_us_per_op"), one.of("others_share")
        line.append(number(generator.mean) if generator else "")
        line.append(f"{others.mean * 100:.0f} %" if others else "")
        lines.append(line)
    out.append(table(head, lines))
    for server, one in servers.items():
        out += [
            f'<p class="bad">{NAMES[server]}, {escape(failure)}</p>' for failure in one.failures
        ]
    return "".join(out)


def operations(servers):
    """All timings of a workload, server by server."""
    known = {server: one for server, one in servers.items() if one.rate}
    names = list(dict.fromkeys(name for one in known.values() for name in one.operations))
    head = [""] + [f"{word}, {NAMES[server]}" for word in ("p50", "p99", "p999") for server in known]
    lines = []
    for name in names:
        figures = [
            one.of(f"{name}_us_{word}") for word in ("p50", "p99", "p999") for one in known.values()
        ]
        lines.append([escape(name)] + [time(figure.mean) if figure else "" for figure in figures])
    return f"<details><summary>every operation</summary>{table(head, lines)}</details>"


def memory(part):
    if not part:
        return ""
    made, restart = part.get("made", {}), part.get("restart", {})
    nodes = next((one["nodes"] for measured in made.values() for one in measured.rounds), 0)
    resident = {server: one.of("rss_bytes") for server, one in made.items()}
    ready = {server: one.of("ready_us") for server, one in restart.items()}
    after = {server: one.of("rss_bytes") for server, one in restart.items()}
    out = [
        '<h2 id="memory">Memory and restart</h2>',
        f'<p class="about">{nodes:,} nodes of 100 bytes.</p><div class="bars">',
    ]
    out.append(bars("resident", resident, mebibytes))
    out.append(bars("restart until the first get is answered", ready, time))
    out.append(bars("resident after the restart", after, mebibytes) + "</div>")
    lines = []
    for server, figure in resident.items():
        line = [NAMES[server], mebibytes(figure.mean), number(figure.mean / max(1, nodes))]
        again = ready.get(server)
        line += (
            [
                time(again.mean),
                f"{time(again.low)} to {time(again.high)}",
                mebibytes(after[server].mean),
            ]
            if again
            else [""] * 3
        )
        lines.append(line)
    out.append(
        table(["", "resident", "bytes per node", "restart", "from, to", "resident afterwards"], lines)
    )
    return "".join(out)


def tails(run):
    """Our server under a steady load, and the disturbances."""
    quiet = run.tails.get("quiet", {}).get("ours")
    lines = []
    for name, servers in run.tails.items():
        for operation in ("get", "set"):
            line = [f"{escape(run.disturbances[name])}: {operation}"]
            for word in ("p50", "p99", "p999", "max"):
                field = f"{operation}_us_{word}"
                took, usual = servers["ours"].of(field), quiet.of(field) if quiet else None
                beside = ratio(took, usual) if took and usual else None
                line.append(time(took.mean) if took else "")
                line.append(f"{beside.mean:.2f}x" if beside else "")
            lines.append(line)
    if not lines:
        return ""
    head = ["disturbance"] + [cell for word in ("p50", "p99", "p999", "max") for cell in (word, "")]
    return '<h2 id="tails">Disturbances of a steady load</h2>' + table(head, lines)


def page(run):
    out = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
    ]
    out.append(
        f"<title>Ringkeeper and ZooKeeper compared</title>\n<style>{STYLE}</style></head><body>"
    )
    out.append("<h1>Ringkeeper and ZooKeeper compared</h1><table>")
    out += [
        f'<tr><td>{escape(name)}<td class="text">{escape(value)}</tr>'
        for name, value in run.machine
    ]
    out.append(
        '</table><p class="about">Measured in turn, in every round. Ratios are of means; below them '
    )
    out.append(
        "are the ratios of the worst and the best pair of rounds. "
        "1/4 means a quarter of the other's.</p>"
    )
    parts = (run.rows, run.workloads, run.memory, run.tails)
    measured = [one for part in parts for servers in part.values() for one in servers.values()]
    failed = sum(len(one.failures) for one in measured)
    if failed:
        out.append(
            f'<p class="bad">{failed} measurements failed; they are listed below.</p>'
        )
    others = [
        server
        for server in ("stock", "bare", "etcd")
        if any(server in row for row in run.rows.values())
    ]
    if run.rows:
        out.append("<h2>Single operations</h2>" + summary(run.rows, others))
        out.append(
            '<p class="about">The limit is a server without a tree: it frames requests, makes the same '
        )
        out.append("bytes durable and answers with bytes of the same form.")
        if "etcd" in others:
            out.append(
                " etcd's get is serializable, its set a put; get-linear is its linearizable get."
            )
        out.append("</p>")
        out += [section(name, run.arguments[name], servers) for name, servers in run.rows.items()]
    if run.workloads:
        out.append("<h2>Workloads</h2>" + summary(run.workloads, ["stock"]))
        out.append(
            '<p class="about">p999 is that of the most frequent operation. With a rate of its own '
        )
        out.append(
            "(an open loop) a workload sends the same load to both: latencies and CPU differ there, "
            "not the rate.</p>"
        )
    for name, servers in run.workloads.items():
        rounds = [one for measured in servers.values() for one in measured.rounds]
        about = rounds[0].get("about", "") if rounds else ""
        out.append(section(name, about, servers) + operations(servers))
    out.append(memory(run.memory) + tails(run) + "</body></html>\n")
    return "".join(out)
