"""Pictures of the states that the browser tests go through."""

import itertools

import tests.browser.test_erasures as source
from tests.browser.test_erasures import *  # noqa
from tests.browser.test_sign_in import violations

count = itertools.count()


def shoot(page):
    n = next(count)
    for theme in ("light", "dark"):
        page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", theme == "dark")
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(250)
            found = violations(page)
            page.screenshot(path=f"/tmp/er/shots/{n:02}-{theme}-{width}.png", full_page=True)
            assert found == [], (page.url, width, theme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (page.url, width)
    page.evaluate("document.documentElement.classList.remove('dark')")


source.look = shoot
