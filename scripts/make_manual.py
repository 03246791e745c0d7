"""Writes the manual pages from what the programs say of themselves, so that they cannot be stale.

``groundwell.1``, ``groundwell-generator.1`` and ``groundwelld.8`` come from ``--experimental-dump-help``
(every command, argument and option), ``groundwelld.toml.5`` from the shipped configuration file.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = ROOT / "packaging" / "groundwelld.toml"
PROGRAMS = {"groundwell": 1, "groundwelld": 8, "groundwell-generator": 1}

EXITS = {
    "groundwell": [
        ("0", "everything that was asked for is done"),
        ("1", "problems were found, a job did not end well, or a file could not be read or written"),
        ("2", "the command line is wrong; nothing was sent"),
        ("3", "no daemon answers, it is stopping, or the connection to it broke"),
        ("4", "the daemon answered with an error"),
        ("124", "a wait reached its deadline; jobs go on"),
        ("130", "interrupted"),
    ],
    "groundwelld": [
        ("0", "stopped as asked"),
        ("1", "it could not start, or had to end; one sentence on standard error says why"),
        ("64", "the command line is wrong"),
    ],
    "groundwell-generator": [
        ("0", "done"),
        ("1", "failed; one sentence on standard error says why"),
        ("64", "the command line is wrong"),
    ],
}
ENVIRONMENT = {
    "groundwell": [
        ("GROUNDWELL_SOCKET", "the daemon's socket"),
        ("COLUMNS", "the width of tables"),
        ("NO_COLOR", "no colours"),
    ],
    "groundwelld": [
        ("GROUNDWELL_CONFIG", "the configuration file"),
        ("GROUNDWELL_STORE, GROUNDWELL_SOCKET", "the store's folder and the socket"),
        ("GROUNDWELL_SECTION_KEY", "any other setting, such as GROUNDWELL_WORKERS_COUNT"),
        ("NOTIFY_SOCKET, WATCHDOG_USEC", "set by a service manager that is told how the daemon is"),
        ("LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES", "set by one that passes listening sockets"),
    ],
    "groundwell-generator": [("GROUNDWELL_SOCKET", "the daemon's socket")],
}
SEE = {
    "groundwell": "groundwelld(8), groundwell-generator(1)",
    "groundwelld": "groundwell(1), groundwelld.toml(5), systemd.service(5)",
    "groundwell-generator": "groundwell(1), groundwelld(8)",
}


def roff(text: str) -> str:
    """Text as troff takes it literally."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").splitlines()
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in lines)


def flow(text: str) -> str:
    """Running text: a blank line begins a paragraph, single line ends are spaces."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n.PP\n".join(roff(" ".join(part.split())) for part in paragraphs)


def option_name(argument: dict[str, Any]) -> str:
    """``-h, --help`` or ``<categories>``, with the name of its value."""
    value = "\\fI" + roff(argument.get("valueName", "value")) + "\\fR"
    if argument["kind"] == "positional":
        return value + (" ..." if argument["isRepeating"] else "")
    names = [
        ("-" if name["kind"] == "short" else "--") + name["name"] for name in argument["names"]
    ]
    text = ", ".join("\\fB" + roff(name) + "\\fR" for name in names)
    return text if argument["kind"] == "flag" else f"{text} {value}"


def usage(path: str, command: dict[str, Any]) -> str:
    """One line that shows how a command is called."""
    parts = ["\\fB" + roff(path) + "\\fR"]
    for argument in shown(command.get("arguments", [])):
        name = option_name(argument).split(", ")[-1]
        parts.append(f"[{name}]" if argument["isOptional"] else name)
    if shown(command.get("subcommands", [])):
        parts.append("\\fIcommand\\fR ...")
    return " ".join(parts)


def shown(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that a reader is to see."""
    return [item for item in items if item.get("shouldDisplay", True)]


def arguments(command: dict[str, Any], is_root: bool) -> list[str]:
    """The list of a command's arguments; help and version once, at the root."""
    lines = []
    for argument in shown(command.get("arguments", [])):
        names = {name["name"] for name in argument.get("names", [])}
        if not is_root and names & {"help", "version"}:
            continue
        text = argument.get("abstract", "")
        if values := argument.get("allValues"):
            text += f" One of {', '.join(values)}."
        if (default := argument.get("defaultValue")) not in (None, ""):
            text += f" Default: {default}."
        lines += [".TP", option_name(argument), flow(text) or "\\&"]
    return lines


def commands(path: str, command: dict[str, Any]) -> list[str]:
    """A section for each subcommand, all the way down."""
    lines = []
    for child in shown(command.get("subcommands", [])):
        if child["commandName"] == "help":
            continue
        name = f"{path} {child['commandName']}"
        lines += [".SS " + roff(name), flow(child.get("abstract", ""))]
        if child.get("discussion"):
            lines += [".PP", flow(child["discussion"])]
        lines += [".PP", usage(name, child), *arguments(child, False), *commands(name, child)]
    return lines


def page(program: str, section: int, tree: dict[str, Any], version: str) -> str:
    """A whole page."""
    command = tree["command"]
    abstract = command["abstract"].rstrip(".")
    lines = [
        f'.TH {program.upper()} {section} "" "{version}" "Groundwell"',
        *[".SH NAME", f"{roff(program)} \\- {roff(abstract[:1].lower() + abstract[1:])}"],
        *[".SH SYNOPSIS", usage(program, command)],
        *[".SH DESCRIPTION", flow(command.get("discussion") or command["abstract"])],
        *[".SH OPTIONS", *arguments(command, True)],
    ]
    if parts := commands(program, command):
        lines += [".SH COMMANDS", *parts]
    for title, table in (("EXIT STATUS", EXITS), ("ENVIRONMENT", ENVIRONMENT)):
        lines.append(f".SH {title}")
        for name, text in table[program]:
            lines += [".TP", f"\\fB{roff(name)}\\fR", roff(text)]
    return "\n".join([*lines, ".SH SEE ALSO", roff(SEE[program])]) + "\n"


def configuration_page(version: str) -> str:
    """The page of the configuration file: its comments as text, its lines as examples."""
    lines = [
        f'.TH GROUNDWELLD.TOML 5 "" "{version}" "Groundwell"',
        *[".SH NAME", "groundwelld.toml \\- settings of groundwelld(8)", ".SH DESCRIPTION"],
    ]
    for block in CONFIGURATION.read_text(encoding="utf-8").split("\n\n"):
        comment: list[str] = []
        for line in block.strip().splitlines():
            if line.startswith("["):
                lines.append(f".SH {line}")
            elif line.startswith("#") and not re.match(r"# [a-z_]+ = ", line):
                comment.append(line[1:].removeprefix(" "))
            else:
                lines += [".TP", f"\\fB{roff(line.removeprefix('# '))}\\fR"]
                lines += [flow("\n".join(comment)).replace("\n.PP\n", "\n.IP\n") or "\\&"]
                comment = []
        if comment:
            lines += [".PP", flow("\n".join(comment))]
    return "\n".join([*lines, ".SH SEE ALSO", "groundwelld(8)"]) + "\n"


def main() -> None:
    """Writes all pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path, help="folder of the programs")
    parser.add_argument("--output", required=True, type=Path, help="gets man1, man5 and man8")
    options = parser.parse_args()
    version = ""
    for program, section in PROGRAMS.items():
        path = options.bin / program
        if not path.is_file():
            sys.exit(f"{path} is not there; build first: make build")
        ask = [str(path), "--experimental-dump-help"]
        tree = json.loads(subprocess.run(ask, capture_output=True, check=True, text=True).stdout)
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
        version = said.stdout.strip().split(" ")[-1] or version
        write(options.output, program, section, page(program, section, tree, version))
    write(options.output, "groundwelld.toml", 5, configuration_page(version))


def write(output: Path, name: str, section: int, text: str) -> None:
    """Writes one page to its folder."""
    folder = output / f"man{section}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{section}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
