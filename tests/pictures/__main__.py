"""Draws the pictures of the documentation anew: `make pictures`. Starts a demonstration of its own, and ends it.

Each is what somebody in that role sees, in a window of 1280 by 800 or on a phone; nothing is retouched.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.running import PROJECT, Product, data_folder, running

FOLDER = PROJECT / "docs" / "pictures"
SCENES = Path(__file__).with_name("scenes.py")
DESK, PHONE = (1280, 800), (390, 844)
COUNTED_WITHIN_SECONDS = 240
DECISIONS = "/admin/decisions/?system=credit-limits"


@dataclass(frozen=True, slots=True)
class Picture:
    """What to draw: a file, by whom, where, and what is done there first."""

    name: str
    who: str
    path: str
    act: Callable[[Page], None] = lambda page: None
    size: tuple[int, int] = DESK


def counted(page: Page) -> None:
    """A minute's decisions are counted after it: an overview of none shows nothing."""
    until = time.monotonic() + COUNTED_WITHIN_SECONDS
    while page.get_by_text("No decision was counted").count() and time.monotonic() < until:
        page.wait_for_timeout(5_000)
        page.reload()
    page.wait_for_load_state("networkidle")


def show_payload(page: Page) -> None:
    page.get_by_role("button", name="Show input and output").click()
    page.locator(".a-tree").first.wait_for()


def open_first(page: Page) -> None:
    page.locator("a[href*='/admin/decisions/0']").first.click()
    page.wait_for_load_state("networkidle")


def verified(page: Page) -> None:
    open_first(page)
    page.get_by_role("button", name="Verify in this browser").click()
    page.get_by_text("Verified", exact=False).first.wait_for()
    page.locator("#verify").scroll_into_view_if_needed()


def read(page: Page) -> None:
    open_first(page)
    show_payload(page)


def review(page: Page) -> None:
    page.keyboard.press("n")
    page.locator("[data-item]").wait_for()


PICTURES = (
    Picture("overview", "viewer", "/admin/", counted),
    Picture("decision", "viewer", DECISIONS, open_first),
    Picture("decisions", "investigator", DECISIONS),
    Picture("verified", "auditor", DECISIONS, verified),
    Picture("read", "deputy", DECISIONS, read),
    Picture("my-work", "head-of-credit", "/admin/mine/"),
    Picture("accountability", "head-of-credit", "/admin/accountability/"),
    Picture("system", "head-of-credit", "/admin/systems/{system}/"),
    Picture("system-card", "engineer", "/admin/systems/{system}/cards/1/"),
    Picture("model-version", "head-of-credit", "/admin/governance/modelversion/{version}/change/"),
    Picture("approver", "approver", "/admin/mine/"),
    Picture("payload-grant", "dpo", "/admin/audit/payloadgrant/{grant}/change/"),
    Picture("leaving", "second-administrator", "/admin/people/{leaver}/leave"),
    Picture("switchboard", "operator", "/admin/switchboard/", size=PHONE),
    Picture("review", "reviewer", "/admin/reviews/", review),
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    wanted = set(sys.argv[1:])
    with data_folder() as folder, running(folder, what="demo") as product, sync_playwright() as playwright:
        said = _set_scenes(product)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for picture in PICTURES:
            if not wanted or picture.name in wanted:
                _draw(browser, product, picture, said)
                print(picture.name)


def _set_scenes(product: Product) -> Mapping[str, str]:
    """The ids that the scenes print, by name."""
    command = [sys.executable, str(PROJECT / "manage.py"), "shell", "--no-imports", "-c", SCENES.read_text()]
    env = product.environment | {"ANSWERABLE_DEMO": "true"}
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    return dict(line.split() for line in said.splitlines())


def _draw(browser: Browser, product: Product, picture: Picture, said: Mapping[str, str]) -> None:
    width, height = picture.size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    page = context.new_page()
    page.goto(f"{product.url}/admin/login/")
    page.fill("input[name=username]", f"demo-{picture.who}@example.org")
    page.fill("input[name=password]", _password(product))
    page.press("input[name=password]", "Enter")
    page.wait_for_load_state("networkidle")
    page.goto(product.url + picture.path.format(**said))
    page.wait_for_load_state("networkidle")
    picture.act(page)
    page.wait_for_timeout(800)  # charts and colours fade in
    page.screenshot(path=FOLDER / f"{picture.name}.png")
    context.close()


def _password(product: Product) -> str:
    return product.output.split("Password", 1)[1].split()[0]


if __name__ == "__main__":
    main()
