"""What drills refuse."""

from config.errors import Conflict, NotFound


class DrillNotFound(NotFound):
    code = "drill-not-found"
    title = "There is no such drill"
    meaning = "No drill, or finding of one, of that id is within reach of whoever is asking."


class DrillNotReady(Conflict):
    code = "drill-not-ready"
    title = "The drill is not at that point"
    meaning = (
        "A drill is planned, agreed to by a second person where it is live, started within its window, ended, and "
        "concluded, in this order. `detail` says what is missing."
    )


class DrillNotPossible(Conflict):
    code = "drill-not-possible"
    title = "This cannot be drilled now"
    meaning = "What a drill would switch is switched already, in earnest or by another drill: it would prove nothing."
