"""Who wrote something is never who agrees to it: held by the database."""

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, IntegerField, UUIDField
from django.db.models.functions import Cast
from django.db.models.lookups import IsNull


def not_by_a_writer(agreed_by: str) -> IsNull:
    """The condition that the person in the column `agreed_by` is none of those in `written_by`."""
    # cast, since an empty list that is checked before it is saved has no type of its own
    writers = Cast(F("written_by"), ArrayField(UUIDField()))
    place = Func(writers, Cast(F(agreed_by), UUIDField()), function="array_position", output_field=IntegerField())
    return IsNull(place, True)
