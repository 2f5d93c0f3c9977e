"""From a bare Python to an environment: what is refused, what is renewed, and what is said."""

from __future__ import annotations

import ast
import platform
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

import run
from openalgo_bridge import bootstrap, lock
from openalgo_bridge.bootstrap import Environment
from openalgo_bridge.errors import Conflict
from openalgo_bridge.settings import PROJECT_FOLDER


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A real, finished environment of an empty lock; made once, because each one takes a second."""
    folder = tmp_path_factory.mktemp("project")
    environment = Environment(folder=folder / ".venv", requirements=folder / "requirements.txt")
    environment.requirements.write_text("# nothing\n", encoding="utf-8")
    bootstrap.ensure(environment)
    return environment


@pytest.fixture
def environment(finished: Environment) -> Environment:
    """The finished environment, as the last test did not leave it."""
    finished.requirements.write_text("# nothing\n", encoding="utf-8")
    finished.stamp.write_text(bootstrap.stamp_text(finished.requirements), encoding="utf-8")
    return finished


def running_bridge(data: Path) -> AbstractContextManager[None]:
    return lock.hold(data / lock.INSTANCE_LOCK, lock.bridge_at("http://127.0.0.1:5000"))


def is_ready(environment: Environment) -> bool:
    return bootstrap.is_ready(environment, bootstrap.stamp_text(environment.requirements))


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_told_its_version_and_the_fix(version: tuple[int, ...]) -> None:
    words = run.refusal(version, "linux-x86_64")
    assert ".".join(map(str, version)) in words
    assert "3.11 or newer" in words


@pytest.mark.parametrize("platform", ["win32", "win-arm64"])
def test_a_windows_python_without_packages_is_told_which_one_to_install(platform: str) -> None:
    words = run.refusal((3, 13, 0), platform)
    assert platform in words
    assert "64-bit" in words


@pytest.mark.parametrize("platform", ["win-amd64", "linux-x86_64", "linux-aarch64", "macosx-14.0-arm64"])
def test_a_python_that_can_run_the_bridge_is_not_refused(platform: str) -> None:
    assert run.refusal((3, 11, 0), platform) == ""


def test_an_old_python_can_read_run_py() -> None:
    source = (PROJECT_FOLDER / "run.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 4))
    for node in ast.walk(tree):
        # Python 2 knows neither annotations nor f-strings.
        assert not isinstance(node, (ast.AnnAssign, ast.JoinedStr))
        assert not (isinstance(node, ast.FunctionDef) and (node.returns or any(a.annotation for a in node.args.args)))


def test_a_finished_environment_has_a_working_python(environment: Environment) -> None:
    done = subprocess.run(
        [environment.python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, encoding="utf-8"
    )
    assert Path(done.stdout.strip()) == environment.folder


def test_an_unchanged_environment_is_taken_as_it_is(environment: Environment) -> None:
    (environment.folder / "mark").touch()
    bootstrap.ensure(environment)
    assert (environment.folder / "mark").exists()


def test_a_changed_lock_makes_it_again(environment: Environment) -> None:
    (environment.folder / "mark").touch()
    environment.requirements.write_text("# something else\n", encoding="utf-8")
    bootstrap.ensure(environment)
    assert not (environment.folder / "mark").exists()
    assert is_ready(environment)


def test_an_environment_is_not_renewed_by_the_python_that_lives_in_it(environment: Environment) -> None:
    environment.requirements.write_text("# something else\n", encoding="utf-8")
    ensure = (
        "import sys; from pathlib import Path; from openalgo_bridge import bootstrap as b;"
        "b.ensure(b.Environment(folder=Path(sys.argv[1]), requirements=Path(sys.argv[2])))"
    )
    command = [environment.python, "-c", ensure, environment.folder, environment.requirements]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=PROJECT_FOLDER, check=False)
    assert "Run it with the system's Python" in told.stderr
    assert environment.python.exists()


def test_a_half_made_environment_does_not_pass_for_a_finished_one(environment: Environment) -> None:
    assert is_ready(environment)
    environment.stamp.unlink()
    assert not is_ready(environment)


def test_an_environment_of_another_python_does_not_pass(environment: Environment) -> None:
    stamp = environment.stamp.read_text(encoding="utf-8")
    environment.stamp.write_text(stamp.replace(platform.python_version(), "3.11.0"), encoding="utf-8")
    assert not is_ready(environment)


def test_two_installations_at_once_do_not_tear_down_each_other(environment: Environment) -> None:
    environment.stamp.unlink()
    with lock.hold(environment.lock, "the first of two"), pytest.raises(Conflict, match="the first of two"):
        bootstrap.ensure(environment)
    assert environment.python.exists()


def test_a_second_bridge_is_refused_before_anything_is_loaded(tmp_path: Path, environment: Environment) -> None:
    with running_bridge(tmp_path):
        for arguments in ([], ["serve"]):
            with pytest.raises(Conflict, match="Already running"):
                bootstrap.python_for(arguments, tmp_path, environment)
    assert bootstrap.python_for([], tmp_path, environment) == environment.python


@pytest.mark.parametrize("arguments", [["mode", "semi_auto"], ["doctor"], ["--help"]])
def test_beside_a_running_bridge_its_packages_are_used_as_they_are(
    tmp_path: Path, environment: Environment, arguments: list[str]
) -> None:
    (environment.folder / "mark").touch()
    environment.requirements.write_text("# newer\n", encoding="utf-8")
    with running_bridge(tmp_path):
        assert bootstrap.python_for(arguments, tmp_path, environment) == environment.python
    assert (environment.folder / "mark").exists()
    bootstrap.python_for(arguments, tmp_path, environment)
    assert not (environment.folder / "mark").exists()


def test_setup_does_not_take_the_packages_of_a_running_bridge_away(tmp_path: Path, environment: Environment) -> None:
    environment.requirements.write_text("# newer\n", encoding="utf-8")
    with running_bridge(tmp_path), pytest.raises(Conflict, match="Stop it first"):
        bootstrap.python_for(["setup", "--username", "trader"], tmp_path, environment)


def test_a_missing_environment_is_made_also_beside_a_running_bridge(tmp_path: Path, environment: Environment) -> None:
    # That bridge cannot be using it.
    missing = replace(environment, folder=tmp_path / "other" / ".venv")
    (tmp_path / "other").mkdir()
    with running_bridge(tmp_path):
        assert bootstrap.python_for(["doctor"], tmp_path, missing).exists()


def test_a_failed_installation_leaves_no_stamp_and_says_why(environment: Environment) -> None:
    # An unhashed line: every installer refuses it before it looks for the package.
    environment.requirements.write_text("flask==3.1.3\n", encoding="utf-8")
    with pytest.raises(bootstrap.SetupFailed, match="could not be made"):
        bootstrap.ensure(environment)
    assert not environment.stamp.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, environment: Environment) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    blocked = replace(environment, folder=tmp_path / "file" / ".venv")
    with pytest.raises(bootstrap.SetupFailed, match="could not be made"):
        bootstrap.ensure(blocked)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("[WinError 112] There is not enough space on the disk", "disk is full"),
        ("[Errno 13] Permission denied: '.venv'", "cannot be written"),
        ("PermissionError: [WinError 5] Access is denied", "cannot be written"),
        ("connection broken by 'NewConnectionError(...)'\nNo matching distribution found", "cannot be reached"),
        ("error: Failed to fetch: `...`\n dns error", "cannot be reached"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "company's certificate"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "not the one the lock names"),
        ("ERROR: No matching distribution found for cryptography", "no ready-made package"),
        ("first\nsomething never seen", "something never seen"),
    ],
)
def test_a_failure_is_explained_in_words(output: str, words: str) -> None:
    assert words in bootstrap.explain(output, Path(".venv"))


def test_a_python_without_ensurepip_and_pip_is_told_the_package_of_its_version() -> None:
    assert "sudo apt install python3.11-venv" in bootstrap.no_installer((3, 11))


def test_the_settings_file_is_copied_once_and_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".env.sample").write_text("FLASK_PORT=5000\n", encoding="utf-8")
    bootstrap.write_env_file(tmp_path)
    assert (tmp_path / ".env").read_text(encoding="utf-8") == "FLASK_PORT=5000\n"
    (tmp_path / ".env").write_text("FLASK_PORT=7000\n", encoding="utf-8")
    bootstrap.write_env_file(tmp_path)
    assert (tmp_path / ".env").read_text(encoding="utf-8") == "FLASK_PORT=7000\n"


def test_an_unknown_example_lists_the_examples(capfd: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["example", "no_such_example"]) == 2
    assert "first_order" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["--version"], ["-c", "no/such.ini"]])
def test_the_exit_code_of_pytest_is_passed_on(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    expected = subprocess.run([sys.executable, "-m", "pytest", *arguments], capture_output=True).returncode
    assert bootstrap.run_tests(Path(sys.executable), arguments) == expected


def test_the_locks_leave_nothing_to_be_resolved() -> None:
    for environment in (bootstrap.BRIDGE, bootstrap.TESTS, bootstrap.EXAMPLES):
        pinned = [line for line in environment.requirements.read_text(encoding="utf-8").splitlines() if "==" in line]
        assert pinned
        assert "--hash=sha256:" in environment.requirements.read_text(encoding="utf-8")
