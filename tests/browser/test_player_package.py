"""The player as a package: what is published, its types, and the documented examples in pages that people build."""

import json
import re
import shutil
import tarfile
import tomllib
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from callspool.domain.recording import State
from tests.browser.calls import Call
from tests.browser.stand_in import KEY, StandIn
from tests.fixtures.browser import PACKAGES, Complaints, plays_beyond
from tests.fixtures.node import ROOT, install, npm, run

READY = {"duration_s": 184.0, "channels": 2, "content_type": "audio/wav", "verified": True}
PLAYER = ROOT / "web" / "player"
BASE = "https://calls.example.com"
MOST = 120_000
"""Bytes of the package, packed: the player once, its types and two licences."""

MAIN = {
    "tsx": (
        'import { createRoot } from "react-dom/client";\nimport { Recording } from "./Recording.tsx";\n'
        'createRoot(document.getElementById("app")!).render('
        '<Recording id={"RECORDING"} getToken={async () => "KEY"} />);\n'
    ),
    "vue": (
        'import { createApp } from "vue";\nimport Recording from "./Recording.vue";\n'
        'createApp(Recording, { id: "RECORDING", getToken: async () => "KEY" }).mount("#app");\n'
    ),
}
TYPED = """
import type { CallspoolPlayer } from "@callspool/player";
import type {} from "@callspool/player/react";
import type {} from "@callspool/player/vue";
import type { GlobalComponents } from "vue";

const player: CallspoolPlayer = document.createElement("callspool-player");
player.addEventListener("callspool-seek", ({ detail }) => detail.position.toFixed(1));
player.addEventListener("callspool-error", function (event) { this.retry(); event.detail.code.toUpperCase(); });
player.addEventListener("click", (event) => event.clientX);
player.getToken = async () => "cs_1";
// @ts-expect-error a rate has no position
player.addEventListener("callspool-ratechange", ({ detail }) => detail.position);
// @ts-expect-error there is no such theme
player.theme = "blue";
// @ts-expect-error it is found out, not set
player.duration = 3;

export const typed = (
  <callspool-player recording="rec_1" cancellable oncallspool-share={({ detail }) => detail.url.length} />
);
// @ts-expect-error it is a text
export const wrong = <callspool-player recording={1} />;

type InVue = InstanceType<GlobalComponents["callspool-player"]>["$props"];
export const props: InVue = { recording: "rec_1", noDownload: true };
export const hears: InVue = { "onCallspool-play": ({ detail }) => void detail.duration };
// @ts-expect-error it is a function
export const wrongProps: InVue = { getToken: "cs_1" };
"""


def snippets(language: str) -> list[str]:
    """What docs/player.md gives to be copied, in that language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / "player.md").read_text(), re.DOTALL)


def example(language: str) -> str:
    """The block of docs/player.md in that language that is a component."""
    (found,) = (snippet for snippet in snippets(language) if "getToken" in snippet)
    return found


def entry(language: str) -> str:
    """Where the page begins."""
    return "main.tsx" if language == "tsx" else "main.ts"


def build(folder: Path, language: str, player: Path) -> None:
    """Build a page as somebody would who has the package: with Vite, and for Vue its plug-in."""
    modules = PACKAGES / "node_modules"
    (folder / "node_modules").symlink_to(modules)
    (folder / "index.html").write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A CRM</title></head><body>'
        f'<div id="app"></div><script type="module" src="/{entry(language)}"></script></body></html>'
    )
    tag = '(tag) => tag === "callspool-player"'
    plugin = f"vue({{ template: {{ compilerOptions: {{ isCustomElement: {tag} }} }} }})"
    (folder / "vite.config.mjs").write_text(
        ('import vue from "@vitejs/plugin-vue";\n' if language == "vue" else "")
        + f"export default {{ plugins: [{plugin if language == 'vue' else ''}], "
        + f'resolve: {{ preserveSymlinks: true, alias: {{ "@callspool/player": {json.dumps(str(player))} }} }}, '
        + "base: './', build: { modulePreload: false, assetsInlineLimit: 0 } };\n"
    )
    done = run(folder, modules / "vite" / "bin" / "vite.js", "build")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", ["tsx", "vue"])
async def test_the_example_for_a_framework_plays_and_hears_events(
    language: str, there: StandIn, page: Page, built_page: Path, a_call: Call, tmp_path: Path
) -> None:
    there.sound.write_bytes(a_call.wav)
    there.waveform = a_call.waveform
    recording = there.add(1, State.READY, **READY)
    install(PACKAGES)
    (tmp_path / f"Recording.{language}").write_text(example(language).replace(BASE, there.url))
    main = MAIN[language].replace("RECORDING", recording.id).replace("KEY", KEY)
    (tmp_path / entry(language)).write_text(main)
    build(tmp_path, language, built_page / "player.js")
    there.files["crm"] = tmp_path / "dist"
    await page.goto(f"{there.url}/files/crm/index.html")
    await expect(page.get_by_text("It is ready.")).to_be_visible()
    await page.get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 0.2)
    assert there.count("/api/events") == 1


def test_no_documented_snippet_goes_unloaded() -> None:
    in_all = {language: len(snippets(language)) for language in ("html", "js", "tsx", "vue", r"\w+")}
    # The components are built above; those of plain HTML, with the script of one of them, are loaded below.
    assert in_all == {"html": 2, "js": 1, "tsx": 1, "vue": 1, r"\w+": 5}


@pytest.mark.parametrize("example", snippets("html"), ids=["recording", "audio-url"])
async def test_each_documented_snippet_of_html_plays(
    example: str, there: StandIn, page: Page, complaints: Complaints, tmp_path: Path
) -> None:
    recording = there.add(1, State.READY, **READY)
    told = {"https://calls.example.com": there.url, "rec_…": recording.id, "cs_…": KEY, "v1…": "1"}
    for documented, real in told.items():
        example = example.replace(documented, real)
    (tmp_path / "index.html").write_text(example)
    (script,) = snippets("js")
    (tmp_path / "listen.js").write_text(script)
    there.files["crm"] = tmp_path
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    by_link = "audio-url" in example
    if by_link:
        complaints.allow("status of 403")
        there.void_links = 1  # the link of the page has run out: its script gets another one
    await page.goto(f"{there.url}/files/crm/index.html")
    await page.get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 0.2)
    assert there.count("POST", "/my/playback-link") == (1 if by_link else 0)
    began = [float(text.split()[2]) for text in heard if text.startswith("heard from")]
    assert len(began) == (1 if by_link else 0)
    assert all(position < 0.2 for position in began), "told when it begins, or a moment later"


def test_its_types_are_right_with_react_and_vue(web_tools: Path, tmp_path: Path) -> None:
    install(PACKAGES)
    (tmp_path / "node_modules").symlink_to(PACKAGES / "node_modules")
    package = tmp_path / "player"
    package.mkdir()
    for name in ("callspool-player.d.ts", "react.d.ts", "vue.d.ts"):
        shutil.copy(PLAYER / name, package)
    (tmp_path / "typed.tsx").write_text(TYPED)
    (tmp_path / "Recording.tsx").write_text(example("tsx"))
    paths = {
        f"@callspool/player{end}": [f"./player/{name}.d.ts"]
        for end, name in (("", "callspool-player"), ("/react", "react"), ("/vue", "vue"))
    }
    options = {
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "jsx": "react-jsx",
        "strict": True,
    }
    more = {"noEmit": True, "paths": paths, "types": [], "lib": ["ES2022", "DOM", "DOM.Iterable"]}
    config = {"compilerOptions": {**options, **more}, "files": ["typed.tsx", "Recording.tsx"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    done = run(tmp_path, web_tools / "node_modules/typescript/bin/tsc", "-p", tmp_path)
    assert done.returncode == 0, done.stdout


def test_what_would_be_published(web_tools: Path, tmp_path: Path) -> None:
    web = tmp_path / "web"
    shutil.copytree(web_tools, web, ignore=shutil.ignore_patterns("node_modules", "tests", "dist"))
    (web / "node_modules").symlink_to(web_tools / "node_modules")
    done = run(web / "player", npm(), "pack", "--json", "--pack-destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (packed,) = tmp_path.glob("*.tgz")
    assert packed.stat().st_size <= MOST
    with tarfile.open(packed) as archive:
        files = {name.removeprefix("package/"): archive.extractfile(name) for name in archive.getnames()}
        text = {name: file.read().decode() for name, file in files.items() if file is not None}
    licences = {"LICENSE", "LICENSE-lit"}
    types = {"callspool-player.d.ts", "react.d.ts", "vue.d.ts"}
    assert set(text) == {"package.json", "README.md", "dist/player.js", *licences, *types}
    package = json.loads(text["package.json"])
    assert package["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    named = [one for kind in package["exports"].values() for one in kind.values()]
    assert {name.removeprefix("./") for name in [package["main"], package["types"], *named]} <= set(text)
    assert text["LICENSE"] == (ROOT / "LICENSE").read_text()
    assert text["LICENSE-lit"] == (web_tools / "node_modules" / "lit" / "LICENSE").read_text()
    links = re.findall(r"\]\(([^)]*)\)", text["README.md"])
    assert [link for link in links if not link.startswith("https://")] == []
    assert "Lit, Copyright 2017 Google LLC" in text["dist/player.js"]
