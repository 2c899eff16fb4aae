"""What somebody is asked to agree to beside decisions: how many of which kind of text, without a word of them."""

from collections import Counter
from dataclasses import dataclass

from audit.models import ErasureConsent
from evidence.erasure.reading import finds_of
from evidence.erasure.showing import labels_of


@dataclass(frozen=True, slots=True)
class Counted:
    """So many finds of one kind."""

    what: str
    count: int


def counted_finds(consent: ErasureConsent) -> list[Counted]:
    """What was found by its words that a consent is about, the most frequent kind first."""
    finds = list(finds_of(consent))
    labels = labels_of(finds)
    kinds = Counter(labels.get(find.item_id, find.place) for find in finds)
    return [Counted(what, count) for what, count in sorted(kinds.items(), key=lambda each: (-each[1], each[0]))]
