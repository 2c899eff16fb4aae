"""The facts that a letter can tell of a decision. A template names them as `{outcome}`; floors above find them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FactName:
    """One fact. A list stands on a line of its own, and becomes a line for each of its items."""

    name: str
    about: str
    is_list: bool = False


FACT_NAMES = (
    FactName("addressee", "Whom the letter is for, as typed when it is written."),
    FactName("system_name", "The AI system's name in the register."),
    FactName("purpose", "Its intended purpose, from the system card in force at the decision."),
    FactName("limitations", "Its known limitations, from that card."),
    FactName("card_number", "The number of that card."),
    FactName("model_version", "The model version that ran."),
    FactName("reference", "The decision's id."),
    FactName("decided_on", "The day on which it was decided."),
    FactName("outcome", "What the AI system's outcome was, in the template's words for it."),
    FactName("outcome_now", "What holds now, after everything people did, in the same words."),
    FactName("ai_role", "What part the AI system has in such a decision."),
    FactName("summary", "The summary of the stored explanation."),
    FactName("reasons", "The main reasons of the stored explanation, the weightiest first.", is_list=True),
    FactName("data_used", "What kinds of data the decision's input held: their names, not their values.", is_list=True),
    FactName("data_sources", "Where the AI system's data come from, from the card."),
    FactName("who_decided", "Whether a person took part, in which role, and what they said."),
    FactName("what_followed", "What came of overrides and appeals since.", is_list=True),
    FactName("how_to_contest", "How such a decision is contested, from the card."),
    FactName("contact", "Whom to turn to: the template's, else the card's contacts."),
    FactName("contest_until", "The last day of the template's time to contest, counted from the day of the letter."),
    FactName("responsible", "Who is responsible: the template's, else the deployer or provider on the card."),
    FactName("today", "The day on which the letter is written."),
)
BY_NAME = {each.name: each for each in FACT_NAMES}
