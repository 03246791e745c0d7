"""What `make install` puts beside the programs: units, completions and manual pages."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(binaries, tmp_path_factory):
    """A prefix with everything but the programs."""
    prefix = tmp_path_factory.mktemp("prefix")
    command = [ROOT / "scripts" / "install-extras", binaries, prefix, "/opt/gw", sys.executable]
    subprocess.run([str(part) for part in command], check=True)
    return prefix


def tree(binaries, program):
    """What a program says of its commands."""
    command = [str(binaries / program), "--experimental-dump-help"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["command"]


def words(command):
    """Every command and every option, all the way down."""
    for argument in command.get("arguments", []):
        if argument.get("shouldDisplay", True):
            for name in argument.get("names", []):
                yield ("--" if name["kind"] != "short" else "-") + name["name"]
    for child in command.get("subcommands", []):
        if child["commandName"] != "help":
            yield child["commandName"]
            yield from words(child)


@pytest.mark.parametrize(
    "page", ["man1/groundwell.1", "man1/groundwell-generator.1", "man8/groundwelld.8"]
)
def test_a_manual_page_has_every_command_and_option_of_the_program(binaries, installed, page):
    text = (installed / "share/man" / page).read_text()
    program = Path(page).stem
    known = set(words(tree(binaries, program)))
    assert len(known) > 10
    for word in known:
        assert word.replace("-", "\\-") in text, word
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT"):
        assert f".SH {section}\n" in text


@pytest.mark.parametrize("number", [1, 5, 8])
def test_manual_pages_are_clean(installed, number):
    if shutil.which("groff") is None:
        pytest.skip("needs groff")
    pages = sorted((installed / f"share/man/man{number}").iterdir())
    assert pages
    for page in pages:
        command = ["groff", "-man", "-Tutf8", "-ww", str(page)]
        run = subprocess.run(command, capture_output=True, check=True)
        assert run.stderr == b"", page
        assert len(run.stdout) > 1000


def test_the_manual_of_the_file_has_every_setting(binaries, installed):
    text = (installed / "share/man/man5/groundwelld.toml.5").read_text()
    printed = subprocess.run(
        [str(binaries / "groundwelld"), "--print-config"],
        capture_output=True,
        check=True,
        env={"HOME": "/nowhere"},
    ).stdout.decode()
    settings = tomllib.loads(printed)
    assert len(settings) >= 7
    for section, keys in settings.items():
        assert f".SH [{section}]" in text
        for key in keys:
            assert re.search(rf"^\\fB{key} =", text, re.MULTILINE), key


def test_the_shipped_file_is_what_the_daemon_prints(binaries, installed):
    """Two parsers agree: Python's reads the file as the daemon does."""
    path = installed / "share/groundwell/groundwelld.toml"
    shipped = tomllib.loads(path.read_text())
    printed = subprocess.run(
        [str(binaries / "groundwelld"), "--print-config", "--config", str(path)],
        capture_output=True,
        check=True,
        env={"HOME": "/nowhere"},
    ).stdout.decode()
    found = tomllib.loads(printed)
    found["store"].pop("path")
    found["server"].pop("socket")
    shipped.setdefault("store", {})
    assert found == shipped


@pytest.mark.parametrize("program", ["groundwell", "groundwelld", "groundwell-generator"])
def test_completions_have_every_command(binaries, installed, program):
    known = set(words(tree(binaries, program)))
    for path in (
        f"share/bash-completion/completions/{program}",
        f"share/zsh/site-functions/_{program}",
        f"share/fish/vendor_completions.d/{program}.fish",
    ):
        text = (installed / path).read_text()
        for word in known:
            assert word.lstrip("-") in text, (path, word)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_scripts_of_their_shell(installed, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    paths = {
        "bash": "share/bash-completion/completions/groundwell",
        "zsh": "share/zsh/site-functions/_groundwell",
        "fish": "share/fish/vendor_completions.d/groundwell.fish",
    }
    subprocess.run([shell, "-n", str(installed / paths[shell])], check=True)


def test_bash_completes_commands(installed):
    script = installed / "share/bash-completion/completions/groundwell"
    ask = f"""
    source {script}
    COMP_WORDS=(groundwell doc); COMP_CWORD=1; COMP_LINE='groundwell doc'; COMP_POINT=14
    _groundwell groundwell doc groundwell; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    run = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=False)
    assert "doctor" in run.stdout.split(), run.stderr


def test_units_name_the_installed_program_and_are_valid(binaries, installed, tmp_path):
    service = (installed / "lib/systemd/user/groundwelld.service").read_text()
    assert "\nExecStart=/opt/gw/bin/groundwelld\n" in service
    assert "@" not in service
    for line in ("Type=notify", "WatchdogSec=60", "ExecReload=/bin/kill -HUP $MAINPID"):
        assert f"\n{line}\n" in service
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    # Checked with a program that is there.
    for name in ("groundwelld.service", "groundwelld.socket"):
        text = (installed / "lib/systemd/user" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/gw/bin", str(binaries.resolve())))
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "groundwelld.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "groundwelld" not in run.stderr, run.stderr
