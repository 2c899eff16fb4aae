"""Pages of exports: asked for, watched, agreed to, fetched."""
