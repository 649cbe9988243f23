"""A person at the keyboard alone, and what was ordered so."""

from pathlib import Path
from typing import Any, Self

from playwright.sync_api import Locator, Page, Response, expect

from tests.browser import every_verb
from tests.browser.looks import DESKTOP, complaints

STOPS_MAX = 400
"""More than any page has places that Tab leads to."""

REFUSED = " refused: "
"""Between a verb and the status of its refusal."""

ERRORS_FROM, REDIRECTS_FROM = 400, 300

FOCUS = """element => {
    if (!element.isConnected) return "replaced";
    const focus = document.activeElement;
    if (focus !== element) return focus.matches(".skip") && element.closest("#main") ? "skip" : "elsewhere";
    return focus.matches(":focus-visible") && getComputedStyle(focus).outlineStyle !== "none" ? "here" : "hidden";
}"""


class Keys:
    """Moves by Tab, opens and orders by Enter, chooses by arrows and Space.

    `ordered` has the verbs that were ordered, with their status if they were refused; `complaints` what axe says of
    pages that are answers to forms.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.ordered: set[str] = set()
        self.complaints: list[str] = []
        self._is_answer = False

    def __enter__(self) -> Self:
        self.page.on("response", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Note nothing more: others go on in the same window."""
        self.page.remove_listener("response", self._note)

    def _note(self, response: Response) -> None:
        if response.request.method == "POST":
            verb = every_verb.verb_of(response.request.url)
            self.ordered.add(verb if response.status < ERRORS_FROM else f"{verb}{REFUSED}{response.status}")
            self._is_answer = response.status < REDIRECTS_FROM

    def open(self, path: str) -> None:
        """Go to a page, as by a bookmark."""
        self.page.goto(path)

    def press(self, action: str, button: str = "", within: str = "", **fields: Any) -> None:
        """Fill the form with this action (the one `within` an element, if there are several), and send it by a button.

        A list ticks boxes of these values; a path is a file.
        """
        form = self.page.locator(f'{within} form[action="{action}"]').first
        for details in form.locator("xpath=ancestor::details[not(@open)]").all():
            self._reach(details.locator("> summary"))
            self.page.keyboard.press("Enter")
        for name, value in fields.items():
            self._fill(form.locator(f'[name="{name}"]:not([type=hidden])'), value)
        buttons = form.get_by_role("button", name=button, exact=True) if button else form.locator("button")
        self._reach(buttons.first)
        self._is_answer = False
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        if self._is_answer:
            self.complaints += complaints(self.page)
            self.page.set_viewport_size(DESKTOP)

    def says(self, text: str) -> None:
        """The page has this text."""
        expect(self.page.locator("main")).to_contain_text(text)

    def _reach(self, target: Locator) -> None:
        """Press Tab until the target has the focus, and shows so."""
        element = target.element_handle()
        for _ in range(STOPS_MAX):
            match element.evaluate(FOCUS):
                case "here":
                    return
                case "replaced":  # the page has read a part of itself again
                    element = target.element_handle()
                case "hidden":
                    raise AssertionError(f"{target} has the focus, and nobody sees it")
                case "skip":
                    self.page.keyboard.press("Enter")
                case _:
                    self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} of {self.page.url} cannot be reached by Tab")

    def _fill(self, field: Locator, value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                self._reach(field.and_(self.page.locator(f'[value="{one}"]')))
                self.page.keyboard.press("Space")
            return
        self._reach(field)
        if isinstance(value, Path):
            field.set_input_files(value)  # the dialog that Space opens is the browser's own
        elif field.evaluate("element => element.tagName") == "SELECT":
            self.page.keyboard.press("Home")
            while field.input_value() != value:
                self.page.keyboard.press("ArrowDown")
        elif field.get_attribute("type") == "date":
            self.page.keyboard.type(value)
        else:
            self.page.keyboard.press("Control+A")
            self.page.keyboard.insert_text(value)
