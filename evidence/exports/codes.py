"""Codes that stand in rows and entries, and what they say."""

FAILURES = {
    "right_lost": "whoever asked for it may not have it any more",
    "record_damaged": "the record itself does not fit together: see the self-audit",
    "storage_full": "there was no room for the file",
    "storage_away": "where exports are kept could not be reached",
    "interrupted": "it was interrupted again and again without coming further",
    "begun_anew": "what is in it was erased or restricted again and again while it was made: ask for it again later",
    "too_large": "it would be larger than an evidence bundle may be: ask for several, each of a part of the time",
    "too_many_gaps": (
        "the numbers of its sources have more gaps than a bundle can list: ask for several, each of a part of the time"
    ),
    "subject_erased": "whom it is about was erased",
    "fault": "a fault of the service; its log says which",
    "erased": "contents in it were erased: its file was deleted before its time",
    "restored": "the database was restored, and what was erased since it was made cannot be told any more",
    "restricted": "contents in it were restricted until they are erased: its file was deleted before its time",
}
LEFT_OUT = {
    "judged_blind": "Decisions that whoever asked judges blind at the moment are left out.",
    "beyond_reach": "Only AI systems within the reach of whoever asked were looked at.",
    "restricted": "Contents are left out that only a data protection officer may read until they are erased.",
    "log_unsigned": "A closed log has entries that no checkpoint was ever signed for: they are left out.",
    "head_newer": "A checkpoint that was given is newer than what this export proves.",
}
"""Why an export is not whole."""
TROUBLES = {
    "storage_full": "There is no room for the file. It is tried again.",
    "storage_away": "Where exports are kept cannot be reached. It is tried again.",
    "database_away": "The database did not answer. It is tried again.",
    "begun_anew": "Something in it was erased or restricted, or is out of your reach now. It is begun anew.",
    "unwitnessed": "It waits a little for the witnesses to see what it is proven against.",
    "unsigned": "No checkpoint can be signed at the moment. It is tried again.",
}
