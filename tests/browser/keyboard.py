"""Somebody who has no mouse, in a browser: reaches things with Tab, presses them with Enter, types."""

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.test_sign_in import violations
from tests.factories.sign_in import PASSWORD

UNFOLD = """() => document.querySelectorAll('#content details:not([open])').forEach((each) => {
    each.dataset.shut = ''; each.open = true; })"""
FOLD = "() => document.querySelectorAll('#content details[data-shut]').forEach((each) => { each.open = false; })"
MOST_TABS = 200


class Keyboard:
    """Somebody who has no mouse."""

    def __init__(self, chromium: Browser, address: str, width: int) -> None:
        self.page: Page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
        self.address, self.width = address, width

    def sign_in(self, email: str, path: str, landmark: str) -> None:
        self.page.goto(f"{self.address}{path}")
        self.write(self.page.get_by_label("E-mail"), email)
        self.write(self.page.get_by_label("Password"), PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.address}{path}")
        expect(self.page.get_by_text(landmark).filter(visible=True).first).to_be_visible()
        self.page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone
        self.look(landmark)

    def look(self, landmark: str) -> None:
        """The page is there, fits, and axe finds nothing, with everything unfolded."""
        expect(self.page.get_by_text(landmark).filter(visible=True).first).to_be_visible()
        self.page.evaluate(UNFOLD)
        assert violations(self.page) == [], landmark
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width, landmark
        self.page.evaluate(FOLD)

    def reach(self, wanted: Locator) -> None:
        expect(wanted).to_be_visible()
        for _ in range(MOST_TABS):
            if wanted.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {wanted}")

    def press(self, wanted: Locator) -> None:
        self.reach(wanted)
        self.page.keyboard.press("Enter")

    def write(self, wanted: Locator, text: str) -> None:
        self.reach(wanted)
        self.page.keyboard.type(text)

    def choose_first(self, wanted: Locator) -> None:
        """The first of a list that is not the empty one."""
        self.reach(wanted)
        self.page.keyboard.press("ArrowDown")

    def choose(self, wanted: Locator, words: str) -> None:
        """An entry of a list, by typing how it begins."""
        self.write(wanted, words)
        chosen = wanted.evaluate("list => list.selectedOptions[0].textContent.trim()")
        assert chosen.startswith(words), chosen

    def go(self, path: str, landmark: str) -> None:
        """As with an address from an e-mail."""
        self.page.goto(f"{self.address}{path}")
        self.look(landmark)

    def prove(self) -> None:
        """Answer "Is it you?" with the password."""
        field = self.page.get_by_label("Your password")
        expect(field).to_be_visible()
        self.write(field, PASSWORD)
        self.page.keyboard.press("Enter")

    def leave(self) -> None:
        self.page.context.close()
