"""What may be done with an assignment, for the templates that show one."""

from django import template

from console.accountability import acts
from governance.acts import Role
from governance.models import AISystem, Assignment
from governance.rights import Held

register = template.Library()


@register.simple_tag
def acts_on(assignment: Assignment, held: Held) -> list[acts.Link]:
    return acts.acts_on(assignment, held)


@register.simple_tag
def may_give(role: Assignment.Role, system: AISystem, held: Held) -> bool:
    return acts.may_give(Role(role), system, held)
