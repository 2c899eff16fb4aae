"""Parameters, and the people who change them."""

from dataclasses import dataclass
from typing import Any

from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from overrides.models import Parameter, ParameterVersion
from overrides.services.parameters import change_parameter, define_parameter
from tests.factories.register import actor_of, give_role, make_person, make_system


@dataclass(frozen=True, slots=True)
class Crew:
    """An AI system and those who may touch its controls."""

    system: AISystem
    engineer: Person
    operator: Person
    approver: Person

    def parameter(self, name: str = "max-amount", **rest: Any) -> Parameter:
        """A number between 0 and 10,000 that is 1,000 now; lower is safer."""
        given: dict[str, Any] = {
            "value_type": "number",
            "default": 1000,
            "safe_direction": "lower",
            "minimum": 0,
            "maximum": 10000,
        } | rest
        return define_parameter(actor=actor_of(self.engineer), system_id=self.system.pk, name=name, **given)

    def set(self, parameter: Parameter, value: object, **rest: Any) -> ParameterVersion:
        """As the operator."""
        given = {"reason_code": "tuning"} | rest
        return change_parameter(actor=actor_of(self.operator), parameter_id=parameter.pk, value=value, **given)


def make_crew(**system: Any) -> Crew:
    """A system with a technical owner, an operator and an approver, all accepted."""
    found = make_system(**system)
    crew = Crew(found, make_person(), make_person(), make_person(approver=True))
    give_role(crew.engineer, Role.TECHNICAL_OWNER, Scope.system(found.pk))
    give_role(crew.operator, Role.OPERATOR, Scope.system(found.pk))
    return crew
