"""System cards on pages: shown, compared, counted, and written section by section."""
