"""What letters say by themselves, in the languages that we write; days in words where Django knows the language.

In any other language a template brings these phrases itself, as `say:role.sole = ...` in its dictionary; what it does
not bring is told as missing.
"""

import re
from collections.abc import Mapping
from datetime import date

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import get_language_info, get_supported_language_variant

from governance.letter_templates.text import PLACEHOLDER
from governance.letter_templates.words import PHRASE

TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})

PHRASES: dict[str, dict[str, str]] = {
    "en": {
        "role.sole": "The AI system decides such matters by itself.",
        "role.determinative": "The AI system's result is decisive for what a person decides in such matters.",
        "role.advisory": "The AI system advises the person who decides in such matters.",
        "role.triage": "The AI system sorts such matters for the people who look at them.",
        "by.system": "No person took part in this decision.",
        "by.elsewhere": "What people decided on it is not recorded with us.",
        "by.waiting": "A person has yet to look at it.",
        "by.nobody_in_time": "A person was to look at it, and nobody did in time.",
        "by.confirmed": "{who} looked at it on {day} and confirmed it.",
        "by.modified": "{who} looked at it on {day} and decided otherwise: {outcome}",
        "by.rejected": "{who} looked at it on {day} and did not let it take effect.",
        "by.overridden": "{who} decided otherwise on {day}: {outcome}",
        "by.reported": "People decided on it in another tool on {day}: {outcome}",
        "appeal.open": "It was contested on {day}. A person who had no part in it has yet to decide.",
        "appeal.upheld": "It was contested. {who} looked at it anew on {day} and found that it stands.",
        "appeal.overturned": "It was contested. {who} looked at it anew on {day} and decided otherwise: {outcome}",
        "who.reviewer": "A reviewer",
        "who.accountable": "The person accountable for the AI system",
        "who.deputy": "The deputy of the person accountable for the AI system",
        "who.named": "{name} ({role})",
        "outcome.none": "Nothing takes effect.",
        "footer.sealed": "Letter {number} of {day}, entry {entry} of {log}.",
        "footer.check": "Digest {digest}, check key {key}: ask us for the text and the proof to check it.",
        "footer.replaces": "It takes the place of {other}.",
        "footer.replaced": "Replaced by {other}.",
        "footer.withdrawn": "Withdrawn on {day}.",
    },
    "de": {
        "role.sole": "Das KI-System entscheidet solche Angelegenheiten selbst.",
        "role.determinative": "Das Ergebnis des KI-Systems ist dafür ausschlaggebend, was ein Mensch entscheidet.",
        "role.advisory": "Das KI-System berät den Menschen, der in solchen Angelegenheiten entscheidet.",
        "role.triage": "Das KI-System sortiert solche Angelegenheiten für die Menschen, die sie prüfen.",
        "by.system": "An dieser Entscheidung hat kein Mensch mitgewirkt.",
        "by.elsewhere": "Was Menschen dazu entschieden haben, ist bei uns nicht aufgezeichnet.",
        "by.waiting": "Ein Mensch muss sie noch prüfen.",
        "by.nobody_in_time": "Ein Mensch sollte sie prüfen; es geschah nicht rechtzeitig.",
        "by.confirmed": "{who} hat sie am {day} geprüft und bestätigt.",
        "by.modified": "{who} hat sie am {day} geprüft und anders entschieden: {outcome}",
        "by.rejected": "{who} hat sie am {day} geprüft und nicht wirksam werden lassen.",
        "by.overridden": "{who} hat am {day} anders entschieden: {outcome}",
        "by.reported": "Menschen haben darüber am {day} in einem anderen Werkzeug entschieden: {outcome}",
        "appeal.open": "Sie wurde am {day} angefochten. Ein Mensch, der nicht beteiligt war, muss noch entscheiden.",
        "appeal.upheld": "Sie wurde angefochten. {who} hat sie am {day} neu geprüft; sie bleibt bestehen.",
        "appeal.overturned": "Sie wurde angefochten. {who} hat am {day} neu geprüft und anders entschieden: {outcome}",
        "who.reviewer": "Eine prüfende Person",
        "who.accountable": "Die für das KI-System verantwortliche Person",
        "who.deputy": "Die Stellvertretung der für das KI-System verantwortlichen Person",
        "who.named": "{name} ({role})",
        "outcome.none": "Es wird nichts wirksam.",
        "footer.sealed": "Schreiben {number} vom {day}, Eintrag {entry} in {log}.",
        "footer.check": "Prüfsumme {digest}, Prüfschlüssel {key}: Text und Nachweis zur Prüfung erhalten Sie bei uns.",
        "footer.replaces": "Es ersetzt {other}.",
        "footer.replaced": "Ersetzt durch {other}.",
        "footer.withdrawn": "Zurückgezogen am {day}.",
    },
    "fr": {
        "role.sole": "Le système d’IA décide seul de ces demandes.",
        "role.determinative": "Le résultat du système d’IA est déterminant pour la décision prise par une personne.",
        "role.advisory": "Le système d’IA conseille la personne qui décide.",
        "role.triage": "Le système d’IA trie ces demandes pour les personnes qui les examinent.",
        "by.system": "Aucune personne n’a pris part à cette décision.",
        "by.elsewhere": "Ce que des personnes en ont décidé n’est pas enregistré chez nous.",
        "by.waiting": "Une personne doit encore l’examiner.",
        "by.nobody_in_time": "Une personne devait l’examiner ; cela n’a pas été fait à temps.",
        "by.confirmed": "{who} l’a examinée le {day} et l’a confirmée.",
        "by.modified": "{who} l’a examinée le {day} et a décidé autrement : {outcome}",
        "by.rejected": "{who} l’a examinée le {day} et ne l’a pas laissée prendre effet.",
        "by.overridden": "{who} a décidé autrement le {day} : {outcome}",
        "by.reported": "Des personnes en ont décidé dans un autre outil le {day} : {outcome}",
        "appeal.open": "Elle a été contestée le {day}. Une personne qui n’y a pas pris part doit encore décider.",
        "appeal.upheld": "Elle a été contestée. {who} l’a réexaminée le {day} : elle est maintenue.",
        "appeal.overturned": "Elle a été contestée. {who} l’a réexaminée le {day} et a décidé autrement : {outcome}",
        "who.reviewer": "Une personne chargée de l’examen",
        "who.accountable": "La personne responsable du système d’IA",
        "who.deputy": "La personne suppléante du responsable du système d’IA",
        "who.named": "{name} ({role})",
        "outcome.none": "Rien ne prend effet.",
        "footer.sealed": "Lettre {number} du {day}, entrée {entry} de {log}.",
        "footer.check": "Empreinte {digest}, clé de contrôle {key} : demandez-nous le texte et la preuve à contrôler.",
        "footer.replaces": "Elle remplace {other}.",
        "footer.replaced": "Remplacée par {other}.",
        "footer.withdrawn": "Retirée le {day}.",
    },
}
PHRASE_NAMES = frozenset(PHRASES["en"])


class NoPhrase(LookupError):
    """Neither we nor the template say this in its language; the argument is the phrase's name."""


def base_of(language: str) -> str:
    return language.partition("-")[0]


def language_words(language: str) -> str:
    """A language by its own name where it is known, with its tag."""
    try:
        return f"{get_language_info(language.lower())['name_local'].capitalize()} ({language})"
    except KeyError:
        return language


def direction_of(language: str) -> str:
    """For the `dir` attribute."""
    return "rtl" if base_of(language) in RIGHT_TO_LEFT else "ltr"


def phrase(name: str, language: str, words: Mapping[str, str], /, **values: str) -> str:
    """A phrase as the template says it, else as we do. Errors: `NoPhrase`."""
    said = words.get(f"{PHRASE}{name}") or PHRASES.get(base_of(language), {}).get(name)
    if said is None:
        raise NoPhrase(name)
    return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), said)


def day_words(day: date, language: str) -> str:
    """A day in the language's words where they are known, else as 2026-11-22."""
    try:
        known = get_supported_language_variant(language.lower())
    except LookupError:
        return day.isoformat()
    with translation.override(known):
        # English pages of ours write months short
        return date_format(day, "j F Y" if known.startswith("en") else "DATE_FORMAT")
