"""Who we say that we are."""

VERSION = "0.1.0"
AGENT = f"answerable-python/{VERSION}"
