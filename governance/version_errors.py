"""Refusals about model versions, what they depend on and how they are configured."""

from config.errors import Conflict, InvalidInput, NotFound


class VersionSettled(Conflict):
    code = "model-version-settled"
    title = "This model version was approved as it is"
    meaning = (
        "What an approved version is, and what it depends on, is what the second person looked at. Register what "
        "changed as a new version."
    )


class PromotionBlocked(Conflict):
    code = "promotion-blocked"
    title = "This model version may not be promoted yet"
    meaning = "`errors` names each gate that is not met, and what to do about it."


class PromotionNotOpen(Conflict):
    code = "promotion-not-open"
    title = "Nobody proposes this model version just now"
    meaning = "It was not proposed, or was answered or taken back meanwhile. Look at it as it is now."


class PromotionAnew(Conflict):
    code = "promotion-anew"
    title = "This model version was proposed anew meanwhile"
    meaning = "What is approved is exactly what was looked at: the proposal and the version's revision are sent along."
    default_detail = "What waits now is not what you looked at. Read it again before you approve it."


class PromotionOpen(Conflict):
    code = "promotion-open"
    title = "This model version is proposed already"
    meaning = "What waits for a second person is not changed under their eyes. Take the proposal back first."


class VersionNotApproved(Conflict):
    code = "model-version-not-approved"
    title = "This model version was not approved"
    meaning = "Only an approved version goes live: propose it, and another person approves it."


class LastApprovedVersion(Conflict):
    code = "last-approved-version"
    title = "This is the last approved version of a live AI system"
    meaning = (
        "Once it is retired, every decision of the AI system is made by a version that nobody approved. Say so with "
        "`leaves_none`, and why with `reason`."
    )
    default_detail = "No approved version would be left of an AI system that is live: confirm it, with a reason."


class VersionUnverified(Conflict):
    code = "model-version-unverified"
    title = "Nobody has said what this model version is"
    meaning = "It was only seen on decisions so far. Register it, with what is known of it, and propose it then."


class DataSourceNotFound(NotFound):
    code = "data-source-not-found"
    title = "There is no such data source"
    meaning = "No data source of that name is in the register."


class DataSourceExists(Conflict):
    code = "data-source-exists"
    title = "There is another data source of this name"
    meaning = "The same source again with the same values is the one that exists. Change it, or choose another name."


class DataSourceInUse(Conflict):
    code = "data-source-in-use"
    title = "Model versions that are in use depend on this data source"
    meaning = "Retire them first, or leave the source in the register: what it fed must stay to be seen."


class DataSourceArchived(Conflict):
    code = "data-source-archived"
    title = "This data source is not used any more"
    meaning = "What depended on it keeps saying so. Nothing new is made to depend on it."


class DataDependencyNotFound(NotFound):
    code = "data-dependency-not-found"
    title = "The model version does not depend on that"
    meaning = "There is no such dependency, or it was removed meanwhile."


class ConfigurationNotFound(NotFound):
    code = "configuration-not-found"
    title = "No configuration of this digest is kept"
    meaning = "Decisions name a configuration by its digest; only what somebody stored can be shown and compared."


class ConfigurationUnreadable(InvalidInput):
    code = "configuration-unreadable"
    title = "This is no configuration"
    meaning = "A configuration is one JSON object, in UTF-8, of at most 256 KiB."
