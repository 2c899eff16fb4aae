"""Pages of explanation letters and their templates."""
