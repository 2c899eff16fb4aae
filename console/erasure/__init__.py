"""Pages of data protection: erasures and retention."""
