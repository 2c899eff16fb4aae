"""The doors of the register: cards, versions, AI systems, data sources."""

from typing import Any

from governance.acts import Act
from governance.models import ModelVersion
from governance.selectors import draft_template, last_save, open_card
from governance.services.cards import submit_card
from governance.services.promotions import withdraw_proposal
from governance.services.systems import take_live
from tests.factories import cards, letters
from tests.factories.register import actor_of
from tests.factories.versions import looked_at
from tests.personas.doors.knocking import AGREE, ASK, Door, after, calls, fills, sends
from tests.personas.routes import ROWS
from tests.personas.world import World


def _submitted(world: World) -> None:
    card = open_card(world.system.pk)
    base = last_save(card).number if card else 0
    submit_card(actor=actor_of(world.staff.engineer), system_id=world.system.pk, base=base)


def _content_digest(world: World) -> str:
    card = open_card(world.system.pk)
    return card.content_digest if card else ""


def _card_base(world: World) -> int:
    card = open_card(world.system.pk)
    return last_save(card).number if card else 0


def _withdrawn(world: World) -> None:
    version = ROWS["governance/modelversion"](world)
    withdraw_proposal(actor=actor_of(world.staff.engineer), version_id=version)


def _looked_at(world: World) -> dict[str, Any]:
    return looked_at(ModelVersion.objects.get(pk=ROWS["governance/modelversion"](world)))


def _template_base(world: World) -> int:
    draft = draft_template(world.system.pk, "en")
    return draft.revision if draft else 0


def _submitted_template(world: World) -> None:
    draft = draft_template(world.system.pk, "en")
    if draft is not None:
        letters.submit(world.staff.engineer, draft)


TEMPLATE_DRAFT = "/api/v1/systems/{slug}/letter-templates/en/draft"
REGISTER: list[Door] = [
    Door(
        Act.CARD_EDIT,
        ASK,
        sends("PUT", "/api/v1/systems/{slug}/cards/draft", base=_card_base, content=lambda world: cards.content()),
    ),
    Door(Act.CARD_PUBLISH, ASK, sends("POST", "/api/v1/systems/{slug}/cards/draft/submit", base=_card_base)),
    Door(
        Act.CARD_PUBLISH,
        AGREE,
        after(_submitted, sends("POST", "/api/v1/systems/{slug}/cards/draft/publish", content_digest=_content_digest)),
    ),
    Door(
        Act.VERSION_PROMOTE,
        ASK,
        after(_withdrawn, sends("POST", "/api/v1/model-versions/{promotable}/propose", reason="Better.")),
    ),
    Door(
        Act.VERSION_PROMOTE,
        AGREE,
        sends(
            "POST",
            "/api/v1/model-versions/{governance__modelversion}/approve",
            promotion_id=lambda world: str(_looked_at(world)["promotion_id"]),
            revision=lambda world: _looked_at(world)["revision"],
        ),
    ),
    Door(Act.LETTER_TEMPLATE_EDIT, ASK, sends("PUT", TEMPLATE_DRAFT, base=_template_base, text="{outcome}")),
    Door(
        Act.LETTER_TEMPLATE_PUBLISH,
        ASK,
        sends("POST", "/api/v1/systems/{slug}/letter-templates/en/submit", base=_template_base),
    ),
    Door(
        Act.LETTER_TEMPLATE_PUBLISH,
        AGREE,
        after(
            _submitted_template,
            sends("POST", "/api/v1/systems/{slug}/letter-templates/en/publish", base=_template_base),
        ),
    ),
    Door(Act.VERSION_RELEASE, ASK, sends("POST", "/api/v1/model-versions/{approved}/release")),
    Door(
        Act.DATA_SOURCE_MANAGE,
        ASK,
        sends(
            "POST",
            "/api/v1/data-sources",
            slug="another",
            name="Another",
            owner_id=lambda world: str(world.staff.owner.pk),
        ),
        anywhere=True,
    ),
    Door(
        Act.DATA_SOURCE_CHANGE,
        ASK,
        fills("/admin/governance/datasource/{governance__datasource}/archive/", reason="Over."),
    ),
    Door(Act.SYSTEM_REGISTER, ASK, fills("/admin/governance/aisystem/add/", slug="new", name="New")),
    Door(Act.SYSTEM_EDIT, ASK, sends("PATCH", "/api/v1/systems/{slug}/fail-policy", max_staleness_s=5)),
    Door(
        Act.SYSTEM_GO_LIVE,
        ASK,
        calls(lambda person, world: take_live(actor=actor_of(person), system_id=world.system.pk)),
    ),
    Door(Act.SYSTEM_RETIRE, ASK, fills("/admin/governance/aisystem/{system}/retire/", reason="Over.")),
    Door(
        Act.ENVIRONMENT_REGISTER,
        ASK,
        fills("/admin/governance/aisystem/{system}/environment/", slug="another"),
    ),
    Door(Act.VERSION_REGISTER, ASK, sends("POST", "/api/v1/systems/{slug}/versions", version="9.9")),
]
