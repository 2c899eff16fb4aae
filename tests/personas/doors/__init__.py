"""The doors of each act, by subject."""

from tests.personas.doors.control import CONTROL
from tests.personas.doors.evidence import EVIDENCE
from tests.personas.doors.human import HUMAN
from tests.personas.doors.investigation import INVESTIGATION
from tests.personas.doors.people import PEOPLE
from tests.personas.doors.register import REGISTER

DOORS = [*CONTROL, *REGISTER, *HUMAN, *INVESTIGATION, *EVIDENCE, *PEOPLE]
