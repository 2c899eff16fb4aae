"""Many real posts through the running product, with kills in the middle, and what must hold afterwards."""
