"""bars — the figures of all runs as tables, and how they stand against the project's bars.

`results` maps a run's name to {server's name: figures}. A bar asks a question of it and is met, missed, or not measured.
"""
ACCEPTS = [(clients, per) for clients in (1, 20, 100) for per in (1, 20)]
RELAYS = ("relay 1 recipient", "relay 10 by MX")
MAILDIR, LARGE, LATENCY, CALLS, MEMORY = "maildir 50 users", "accept 20 MiB", "latency", "calls", "memory"
HANDSHAKES = {20: "TLS sessions, 20", 100: "TLS sessions, 100"}     # clients at once
TLS_ACCEPTS = [(20, 20), (100, 20)]


def accept_name(shape):
    return f"accept {shape[0]} x {shape[1]}"


def tls_name(shape):
    return f"TLS {shape[0]} x {shape[1]}"


def timed(results):
    return [name for name in results if name not in (CALLS, MEMORY)]


def value(results, name, server, key):
    return (results.get(name, {}).get(server) or {}).get(key)


def ratio(results, name, key, server="posthorn", peer="Postfix"):
    """The server's figure as a multiple of the peer's; None when either is missing."""
    mine, theirs = value(results, name, server, key), value(results, name, peer, key)
    return mine / theirs if mine and theirs else None


# -- tables -------------------------------------------------------------------------------------------------------------

def show(figure, digits):
    return "-" if figure is None else f"{figure:,.{digits}f}"


def table(title, servers, rows):
    """A line for each (name, cells); the columns are the servers and what the title says of them."""
    widths = [max(11, len(server) + 1) for server in servers]
    lines = ["", title, " " * 20 + "".join(server.rjust(width) for server, width in zip(servers, widths))]
    for name, cells in rows:
        lines.append(name.ljust(20) + "".join(str(cell).rjust(width) for cell, width in zip(cells, widths)))
    return lines


def figures_table(results, title, servers, key, digits, names, last=None):
    """`last` makes one more cell of the ratio between posthorn's figure and Postfix's."""
    columns = servers + (["ratio"] if last else [])
    rows = []
    for name in names:
        cells = [show(value(results, name, server, key), digits) for server in servers]
        times = ratio(results, name, key)
        rows.append((name, cells + ([last(times) if times else "-"] if last else [])))
    return table(title, columns, rows)


def more(times):
    return f"{times:.1f}"


def less(times):
    return f"1/{1 / times:.1f}"


def tables(results, servers):
    names = timed(results)
    return [*figures_table(results, "messages a second (ratio: posthorn to Postfix)", servers, "rate", 0, names, more),
            *figures_table(results, "CPU, ms a message, all processes", servers, "cpu_ms", 3, names, less),
            *figures_table(results, "first byte of MAIL to the reply to the dot, p50 in ms", servers, "p50_ms", 2, names, less),
            *figures_table(results, "the same, p99 in ms", servers, "p99_ms", 2, names, less),
            *table("a message costs (accept 20 x 20)", servers, [
                (kind, [show(value(results, CALLS, server, key), 2) for server in servers])
                for kind, key in (("system calls", "calls"), ("syncs", "syncs"))]),
            *table("memory, PSS of all processes in MiB", servers, [
                (kind, [show(value(results, MEMORY, server, key), 1) for server in servers])
                for kind, key in (("idle", "idle"), ("1,000 idle clients", "clients"))])]


def limits(results, null, bare, store, files):
    """How far accept is from what the generator and the disk allow."""
    lines = ["", f"limits: a bare pwrite of 8 KiB and fdatasync {bare:,}/s", " " * 20 + "".join(head.rjust(16) for head in
             ("null server/s", "reached", "store alone/s", "reached"))]
    for shape, rate in null.items():
        mine = value(results, accept_name(shape), "posthorn", "rate")
        alone = store.get(shape[0])
        cells = (f"{rate:,.0f}", f"{mine / rate:.0%}" if mine else "-", show(alone, 0), f"{mine / alone:.0%}" if mine and alone else "-")
        lines.append(accept_name(shape).ljust(20) + "".join(cell.rjust(16) for cell in cells))
    large = value(results, LARGE, "posthorn", "rate")
    lines.append(f"20 MiB files, written and synced by four: {files:.1f}/s" + (f", {LARGE} reaches {large / files:.0%}" if large else ""))
    return lines


# -- bars ---------------------------------------------------------------------------------------------------------------

def at_least(results, text, names, key, wanted):
    times = [ratio(results, name, key) for name in names if ratio(results, name, key)]
    return text, f"{min(times):.1f}" if times else None, bool(times) and min(times) >= wanted


def at_most(results, text, names, key, wanted):
    """The smaller the better: `wanted` is 1/n of Postfix's."""
    times = [ratio(results, name, key) for name in names if ratio(results, name, key)]
    return text, f"1/{1 / max(times):.1f}" if times else None, bool(times) and max(times) <= wanted


def most_mib(text, mib, wanted):
    return text, None if mib is None else f"{mib:.1f}", mib is not None and mib <= wanted


def bars(results):
    one, hundred = [[accept_name((clients, per)) for per in (1, 20)] for clients in (1, 100)]
    busy = [accept_name(shape) for shape in ACCEPTS] + list(RELAYS)
    idle, clients = [value(results, MEMORY, "posthorn", key) for key in ("idle", "clients")]
    return [
        at_most(results, "CPU a message, accept and relay: at most 1/12 of Postfix's", busy, "cpu_ms", 1 / 12),
        at_most(results, "CPU a message, Maildir: at most 1/8", [MAILDIR], "cpu_ms", 1 / 8),
        at_least(results, "accept, 100 clients: at least 12 times", hundred, "rate", 12),
        at_least(results, "accept, 1 client: at least 3 times", one, "rate", 3),
        at_least(results, "relay, one recipient: at least 8 times", RELAYS[:1], "rate", 8),
        at_least(results, "relay, ten recipients by ten MX: at least 8 times", RELAYS[1:], "rate", 8),
        at_least(results, "Maildir: at least 7 times", [MAILDIR], "rate", 7),
        at_least(results, "20 MiB: at least 2.5 times", [LARGE], "rate", 2.5),
        at_most(results, "latency of single messages, p50: at most 1/2", [LATENCY], "p50_ms", 1 / 2),
        at_most(results, "latency of single messages, p99: at most 1/2", [LATENCY], "p99_ms", 1 / 2),
        at_least(results, "TLS 1.3 sessions with a full handshake: at least 2 times", list(HANDSHAKES.values()), "rate", 2),
        at_least(results, "messages over TLS: at least 8 times", [tls_name(shape) for shape in TLS_ACCEPTS], "rate", 8),
        most_mib("PSS idle: at most 14 MiB", idle, 14),
        most_mib("1,000 idle clients add at most 16 MiB", clients - idle if clients else None, 16),
    ]


def verdicts(results):
    lines = ["", "bars"]
    for text, found, met in bars(results):
        lines.append(f"{'met   ' if met else 'MISSED' if found else 'not measured':8} {text}{': ' + found if found else ''}")
    return lines
