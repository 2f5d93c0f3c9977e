"""From a bare Python to a running bridge: makes the virtual environments and runs things in them.

Runs outside any environment, so it uses the standard library only. Three environments, each from its own hashed
lock: the bridge, its tests, its examples. Packages come from wherever uv or pip is set up to find them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openalgo_bridge import lock, settings
from openalgo_bridge.errors import BridgeError, Conflict
from openalgo_bridge.settings import PROJECT_FOLDER

_Command = list[str]

_EXAMPLES = Path("examples", "python")
_NOT_BESIDE_A_BRIDGE = ("setup", "restore", "reset-password")
_STAMP = "openalgo_bridge.stamp"
# The locks are complete, so nothing may be resolved on the way. They leave pip out (sqlite-utils asks for it).
_FROM_LOCK = ("--no-deps", "--require-hashes")

# A few tests named by hand start sooner without workers. A file stays whole: its tests may share one running bridge.
_ON_ALL_CORES = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")

_CHECKS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))

_DISK_FULL = "The disk is full. Free about 200 MB and run it again."
_NOT_WRITABLE = (
    "It cannot be written. If the bridge runs, stop it first; otherwise put the bridge where you may write, "
    "such as your home folder."
)
_CHANGED_ON_THE_WAY = (
    "A package that came is not the one the lock names, so it was not installed. "
    "Something between this PC and the package index changes files."
)
_UNREACHABLE = (
    "The package index cannot be reached. Check the network. Behind a proxy or a company's certificate, set it up "
    "for pip first (pip config set global.proxy ..., pip config set global.cert ...) and run it again."
)
_NO_PACKAGE = "There is no ready-made package for this Python. Use a 64-bit Python 3.11 to 3.14."

# Parts of what the installers and the system print, in lower case; the first that fits is told.
_CAUSES = {
    "no space left": _DISK_FULL,
    "not enough space on the disk": _DISK_FULL,
    "quota exceeded": _DISK_FULL,
    "read-only file system": _NOT_WRITABLE,
    "permission denied": _NOT_WRITABLE,
    "access is denied": _NOT_WRITABLE,
    "being used by another process": _NOT_WRITABLE,
    "do not match the hashes": _CHANGED_ON_THE_WAY,
    "hash mismatch": _CHANGED_ON_THE_WAY,
    "name resolution": _UNREACHABLE,
    "name or service not known": _UNREACHABLE,
    "getaddrinfo": _UNREACHABLE,
    "dns error": _UNREACHABLE,
    "failed to fetch": _UNREACHABLE,
    "error sending request": _UNREACHABLE,
    "newconnectionerror": _UNREACHABLE,
    "proxyerror": _UNREACHABLE,
    "connection refused": _UNREACHABLE,
    "network is unreachable": _UNREACHABLE,
    "timed out": _UNREACHABLE,
    "certificate_verify_failed": _UNREACHABLE,
    "invalid peer certificate": _UNREACHABLE,
    "no matching distribution": _NO_PACKAGE,
    "no wheels": _NO_PACKAGE,
    "no usable wheels": _NO_PACKAGE,
    "not a supported wheel": _NO_PACKAGE,
}


class SetupFailed(Exception):
    """An environment could not be made. The text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment and the lock it is made from."""

    folder: Path
    requirements: Path

    @property
    def python(self) -> Path:
        """The environment's own Python."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def stamp(self) -> Path:
        """Written last, so that an environment without it is half-made."""
        return self.folder / _STAMP

    @property
    def lock(self) -> Path:
        """Held while installing."""
        return self.folder.parent / "db" / "install.lock"


BRIDGE = Environment(folder=PROJECT_FOLDER / ".venv", requirements=PROJECT_FOLDER / "requirements.txt")
TESTS = Environment(folder=PROJECT_FOLDER / ".venv-dev", requirements=PROJECT_FOLDER / "requirements-dev.txt")
EXAMPLES = Environment(
    folder=PROJECT_FOLDER / ".venv-examples", requirements=PROJECT_FOLDER / "examples" / "requirements.txt"
)


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; returns the exit code. On POSIX it does not return when the bridge runs."""
    try:
        match list(arguments):
            case ["test", *rest]:
                return run_tests(ensure(TESTS), rest)
            case ["example", *rest]:
                return run_example(rest)
            case rest:
                write_env_file(PROJECT_FOLDER)
                return become(python_for(rest, settings.load().db_dir, BRIDGE), rest)
    except (SetupFailed, BridgeError, OSError) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("Stopped.")
        return 130


def ensure(environment: Environment) -> Path:
    """The environment's Python, after making or renewing the environment where need be. Raises SetupFailed."""
    try:
        wanted = stamp_text(environment.requirements)
        if is_ready(environment, wanted):
            return environment.python
        # Two first starts at once must not tear down each other's half-made environment.
        environment.lock.parent.mkdir(exist_ok=True)
        with lock.hold(environment.lock, "another run.py, which is installing; wait until it has ended"):
            if not is_ready(environment, wanted):
                _refuse_own_interpreter(environment, Path(sys.prefix))
                _make(environment)
                environment.stamp.write_text(wanted, encoding="utf-8")
    except OSError as error:
        raise SetupFailed(explain(str(error), environment.folder)) from error
    return environment.python


def _refuse_own_interpreter(environment: Environment, running: Path) -> None:
    """Renewing removes the folder first, and with it the Python that would do the rest. Raises SetupFailed."""
    if environment.folder.exists() and running.resolve() == environment.folder.resolve():
        command = "py run.py" if os.name == "nt" else "python3 run.py"
        raise SetupFailed(
            f"{environment.folder} must be renewed, and the Python that runs this lives in it. "
            f"Run it with the system's Python: {command}"
        )


def python_for(arguments: Sequence[str], data: Path, environment: Environment) -> Path:
    """The Python that is to run ``arguments``. Raises Conflict, SetupFailed.

    A running bridge keeps its packages: beside it the environment is taken as it is, also after an update, because
    switching to Semi-Auto must always be possible. A second bridge is refused at once, rather than after a second
    of imports.
    """
    running = lock.holder(data / lock.INSTANCE_LOCK)
    if running is None:
        return ensure(environment)
    if list(arguments) in ([], ["serve"]):
        raise Conflict(f"Already running: {running}.")
    if arguments[0] in _NOT_BESIDE_A_BRIDGE and not is_ready(environment, stamp_text(environment.requirements)):
        raise Conflict(f"The bridge's packages must be renewed, and {running} uses them. Stop it first.")
    return environment.python if environment.python.exists() else ensure(environment)


def stamp_text(requirements: Path) -> str:
    """What an environment was made from: the lock's SHA-256 and the Python."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return f"{digest} {platform.python_implementation()} {platform.python_version()} {sysconfig.get_platform()}\n"


def is_ready(environment: Environment, wanted: str) -> bool:
    """True when the environment was finished, from this lock, for this Python."""
    if not (environment.stamp.is_file() and environment.python.exists()):
        return False
    return environment.stamp.read_text(encoding="utf-8", errors="replace") == wanted


def explain(output: str, folder: Path) -> str:
    """Why ``folder`` could not be made and what to do, from what the installer or the system said."""
    told = output.lower()
    cause = next((sentence for sign, sentence in _CAUSES.items() if sign in told), None)
    return f"{folder} could not be made. {cause or output.strip().rpartition(chr(10))[2]}"


def no_installer(version: tuple[int, int]) -> str:
    """What to do where Python came without both ensurepip and pip, as Debian's does."""
    package = f"python{version[0]}.{version[1]}-venv"
    return (
        "This Python cannot make virtual environments. On Debian, Ubuntu or Mint run\n\n"
        f"    sudo apt install {package}\n\nand then this command again. (Or install uv.)"
    )


def write_env_file(project: Path) -> None:
    """Copy ``.env.sample`` to ``.env`` unless there is one. Raises SetupFailed."""
    try:
        descriptor = os.open(project / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise SetupFailed(f"{project / '.env'} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write((project / ".env.sample").read_bytes())


def run_tests(python: Path, arguments: Sequence[str]) -> int:
    """Style, types and tests; with arguments only pytest, given those. pytest is last, so its verdict is too."""
    failed = False
    for check in () if arguments else _CHECKS:
        _say(" ".join(check))
        failed |= _run([str(python), "-m", *check], PROJECT_FOLDER) != 0
    code = _run([str(python), "-X", "utf8", "-m", "pytest", *(arguments or _ON_ALL_CORES)], PROJECT_FOLDER)
    return code or int(failed)


def run_example(arguments: Sequence[str]) -> int:
    """Run ``examples/python/NAME.py`` with the published SDK, told where this bridge is."""
    names = sorted(path.stem for path in (PROJECT_FOLDER / _EXAMPLES).glob("*.py"))
    if not arguments or arguments[0] not in names:
        _say(f"Say which example: run.py example NAME. There are: {', '.join(names)}.")
        return 2
    script = PROJECT_FOLDER / _EXAMPLES / f"{arguments[0]}.py"
    # For the child only; nothing is read from the environment here.
    os.putenv("BRIDGE_URL", settings.load().url)
    python = ensure(EXAMPLES)
    return _run([str(python), "-X", "utf8", str(script), *arguments[1:]])


def become(python: Path, arguments: Sequence[str]) -> int:
    """Run the package in its environment, in place of this process where the system can do that.

    Windows would start a second process and give the prompt back at once; there we wait for it.
    """
    # -P and PYTHONPATH: the project is importable from any folder, and nothing else that lies in that folder is.
    os.putenv("PYTHONPATH", str(PROJECT_FOLDER))
    command = [str(python), "-P", "-X", "utf8", "-m", "openalgo_bridge", *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    return _run(command) if sys.platform == "win32" else os.execv(command[0], command)  # noqa: S606 - no shell


def _make(environment: Environment) -> None:
    """Try each way there is on this PC until one works."""
    _say(f"Installing into {environment.folder.name} (once, for about a minute) ...")
    output = ""
    for way in _ways(environment):
        _remove(environment.folder)
        failure = next((text for command in way if (text := _failure_of(command)) is not None), None)
        if failure is None:
            return
        output = failure
    if not output:
        raise SetupFailed(no_installer(sys.version_info[:2]))
    _say(output.strip())
    raise SetupFailed(explain(output, environment.folder))


def _ways(environment: Environment) -> Iterator[list[_Command]]:
    """Each way is commands that make the environment and fill it. uv takes a second, pip about ten."""
    folder, python, requirements = str(environment.folder), str(environment.python), str(environment.requirements)
    pip_install = [
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        *_FROM_LOCK,
        "--only-binary=:all:",
        "-r",
        requirements,
    ]
    uv = shutil.which("uv")
    if uv:
        make = [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, folder]
        fill = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *_FROM_LOCK]
        yield [make, [*fill, "--only-binary", ":all:", "-r", requirements]]
    if importlib.util.find_spec("ensurepip"):
        yield [[sys.executable, "-m", "venv", folder], [python, "-m", "pip", *pip_install]]
    elif importlib.util.find_spec("pip"):
        yield [
            [sys.executable, "-m", "venv", "--without-pip", folder],
            [sys.executable, "-m", "pip", "--python", python, *pip_install],
        ]


def _failure_of(command: _Command) -> str | None:
    """What the command printed when it failed; None when it worked."""
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False, cwd=PROJECT_FOLDER
    )
    return None if done.returncode == 0 else f"{done.stdout}{done.stderr}" or f"{command[0]} failed."


def _remove(folder: Path) -> None:
    # The stamp goes first: if the rest cannot be removed, what is left must not pass for complete.
    (folder / _STAMP).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _run(command: _Command, folder: Path | None = None) -> int:
    """Run to the end and return the exit code. Ctrl+C reaches the child by itself; we wait for what it does."""
    with subprocess.Popen(command, cwd=folder) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
