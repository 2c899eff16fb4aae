"""Templates of explanation letters: which facts a text may name, the words for them, and the text filled in."""
