from audit.admin import grants  # noqa: F401 - its pages are registered
