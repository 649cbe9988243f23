"""Errors of the pages, which are rendered as pages."""


class PageError(Exception):
    """A page that cannot be shown, or a form that is refused: status, title, and a sentence."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail


class SignInNeeded(Exception):
    """The request has no session, or one that ended."""
