"""Who we say that we are."""

__version__ = "0.1.0"
AGENT = f"answerable-python/{__version__}"
