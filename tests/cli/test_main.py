import os
import subprocess
import sys

import pytest

from spectrain.cli.main import COMMANDS, main


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_commands(flag, capsys):
    assert main([flag]) == 0
    printed = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert f"{name} " in printed
        assert summary in printed


def test_help_imports_neither_torch_nor_tyro():
    check = (
        "import sys; from spectrain.cli.main import main; main(['--help']);"
        "sys.exit(bool({'torch', 'tyro', 'polars', 'rich'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", check], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(("chosen", "left"), [({}, "1"), ({"OMP_NUM_THREADS": "2"}, None)])
def test_spectra_take_one_blas_thread_unless_the_user_says_otherwise(chosen, left):
    check = (
        "import os, sys; from spectrain.cli.main import _one_blas_thread; _one_blas_thread();"
        f"sys.exit(os.environ.get('OPENBLAS_NUM_THREADS') != {left!r})"
    )
    names = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    subprocess.run([sys.executable, "-c", check], check=True, env=kept | chosen)


def test_no_command_is_an_error_that_lists_them(capsys):
    assert main([]) == 2
    assert "train" in capsys.readouterr().err


def test_an_unknown_command_is_named(capsys):
    assert main(["brew"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "there is no command 'brew'" in captured.err


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("spectrain ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([name, "--help"])
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert f"usage: spectrain {name}" in printed
    assert "--json" in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_call_is_an_error(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([name, "--no-such-option"])
    assert exit_.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"spectrain {name} --help" in captured.err


def test_a_command_of_a_distribution_that_is_not_there_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    assert main(["study", "list"]) == 2
    told = capsys.readouterr().err
    assert "spectrain-studies, which is not installed" in told
    assert "pip install" in told
