"""Explanation letters: the facts of a decision in plain words, the letter, and who may read it."""
