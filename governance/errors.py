"""What the register refuses."""

from config.errors import Conflict, Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated, Unavailable


class SystemNotFound(NotFound):
    code = "system-not-found"
    title = "There is no such AI system"
    meaning = "No AI system of that name is within reach of whoever is asking."


class EnvironmentNotFound(NotFound):
    code = "environment-not-found"
    title = "There is no such environment"
    meaning = "No environment of that id is within reach of whoever is asking."


class SystemExists(Conflict):
    code = "system-exists"
    title = "An AI system of this slug is registered already"
    meaning = (
        "The slug belongs to another registration. Registering the same again with the same values is answered with "
        "the one that exists; with other values, or beyond the key's reach, it is refused, and nothing is changed."
    )


class ForeignOrigin(Unavailable):
    """`ANSWERABLE_ORIGIN` is not the name this installation's logs were born with."""

    code = "foreign-origin"
    title = "This service is configured under another name than its logs"
    meaning = (
        "A log keeps its origin for ever, so none is opened under a name that is not that of the registry log. "
        "Decisions of registered AI systems go on. `/readyz` tells the operator which name to set."
    )
    default_detail = (
        "This service is configured under another name than its logs, so no log is opened. "
        "`/readyz` tells its operator which name to set."
    )


class SystemNotReady(Conflict):
    code = "system-not-ready"
    title = "This AI system may not go live yet"
    meaning = (
        "A live system has an accountable person who accepted, a published system card, an approved model version and "
        "a written shutdown procedure: safe state, steps, contacts. `errors` lists what is missing."
    )


class FailPolicyNeedsTwo(Conflict):
    code = "fail-policy-needs-two"
    title = "A milder fail policy of a live AI system takes two people"
    meaning = (
        "Callers that lose contact would be let do more, or for longer. Ask for the milder policy: another person "
        "approves it. A risk class that brings a milder policy is set once the AI system says its own policy."
    )


class FallbackInUse(Conflict):
    code = "fallback-in-use"
    title = "This model version is what the AI system falls back to"
    meaning = "Declare another fallback first: else the mode fallback would lead to a version that is not to run."


class FailPolicyNotMilder(Conflict):
    code = "fail-policy-not-milder"
    title = "This fail policy is no milder than the one in force"
    meaning = "It needs no second person: set it on the page of the AI system."


class FailPolicyRequestNotFound(NotFound):
    code = "fail-policy-request-not-found"
    title = "There is no such request"
    meaning = "No request for a milder fail policy of that id is within reach of whoever is asking."


class FailPolicyRequestNotOpen(Conflict):
    code = "fail-policy-request-not-open"
    title = "This request is not open any more"
    meaning = "It was approved, refused, withdrawn, or became void. Its page says which."


class VersionNotFound(NotFound):
    code = "model-version-not-found"
    title = "There is no such model version"
    meaning = "No model version of that name is registered for this AI system."


class VersionExists(Conflict):
    code = "model-version-exists"
    title = "This model version is registered already, with other values"
    meaning = "A version says exactly what ran, so it is not registered twice. Give the changed model its own version."


class UnverifiedLimitReached(Conflict):
    code = "unverified-limit-reached"
    title = "Too many unknown model versions today"
    meaning = "An AI system gets at most 50 automatic registrations a day; beyond that a version is sealed as sent."


class PersonNotFound(NotFound):
    code = "person-not-found"
    title = "There is no such person"
    meaning = "Nobody active in the register is meant by this id or address."


class PersonExists(Conflict):
    code = "person-exists"
    title = "Somebody with this e-mail address is registered already"
    meaning = "Addresses are compared without regard to case. Edit the person who is there."


class LastAdministrator(Conflict):
    code = "last-administrator"
    title = "The last administrator cannot leave"
    meaning = "Nobody could manage people and keys afterwards. Appoint another administrator first."


class SuccessorNeeded(Conflict):
    code = "successor-needed"
    title = "Somebody must take over the service accounts"
    meaning = "Each service account has a human owner. Name an active person who takes over theirs."


class SetupClosed(NotFound):
    code = "setup-link-invalid"
    title = "This link does not work any more"
    meaning = "A set-up link works once and for a short time. Ask an administrator for a new one."
    default_detail = "This link was used, has expired, or never was one. Ask an administrator for a new one."


class CredentialsGuarded(Forbidden):
    code = "credentials-guarded"
    title = "One administrator alone cannot change how this person signs in"
    meaning = (
        "They hold, or were asked to take, a role that takes two administrators to give; whoever could sign in as them "
        "would have it. Somebody at the host does it: `manage.py setup_link`, `reset_factors`, `change_address` or "
        "`unlink_identities`, each with `--for ADDRESS`."
    )
    default_detail = (
        "This person holds, or was asked to take, a role that takes two to give. Their set-up link is made at the "
        "host: manage.py setup_link --for ADDRESS."
    )


class RequestVoid(Conflict):
    code = "request-void"
    title = "Whoever asked for this may not ask for it any more"
    meaning = (
        "A request counts while the person who made it is active and has the right to make it. Refuse this one; "
        "somebody who has the right can ask anew."
    )


class AssignmentNotFound(NotFound):
    code = "assignment-not-found"
    title = "There is no such assignment"
    meaning = "No assignment of this id is there for whoever is asking."


class AssignmentNotOpen(Conflict):
    code = "assignment-not-open"
    title = "This assignment is not in a state that allows this"
    meaning = "It was accepted, declined or ended already, perhaps by somebody else a moment ago. Look at it again."


class TermsNotSeen(Conflict):
    code = "terms-not-seen"
    title = "What goes with this role is not what you read"
    meaning = "Duties, powers or something else of it was changed since, or was never shown. Read it, then do it again."


class AssignmentExists(Conflict):
    code = "assignment-exists"
    title = "This person holds this role here already"
    meaning = "The same assignment is accepted, or still waits for an answer."


class ApprovalForbidden(Forbidden):
    code = "approval-forbidden"
    title = "This needs somebody else's approval"
    meaning = (
        "The one who approves is another person than the one who asked, holds the approving role, and neither of the "
        "two made the other's account or reset their credentials within the last 7 days."
    )
    default_detail = "You cannot be the second person here."


class RolesConflict(Conflict):
    code = "roles-conflict"
    title = "One person does not hold these two roles together"
    meaning = (
        "Some roles are there to watch over others, so nobody holds both in one place. End the one first, or choose "
        "somebody else."
    )


class GapWouldOpen(Conflict):
    code = "accountability-gap"
    title = "A live AI system would be without an accountable person"
    meaning = (
        "Hand the responsibility over: it passes at the moment the successor accepts. Nobody is held in a role against "
        "their will, though: who confirms the gap, with a reason, may end it all the same. The gap is sealed, alerted, "
        "and every decision in it is flagged. `errors` names the AI systems."
    )


class AccountNotFound(NotFound):
    code = "service-account-not-found"
    title = "There is no such service account"
    meaning = "No service account of that name is registered."


class AccountExists(Conflict):
    code = "service-account-exists"
    title = "A service account of this slug is registered already"
    meaning = "The slug names one program. Give the other one another, or make a further key for the account there is."


class KeyNotFound(NotFound):
    code = "service-key-not-found"
    title = "There is no such key"
    meaning = "No service key of this id is registered."


class KeyEnded(Conflict):
    code = "service-key-ended"
    title = "This key is revoked or expired"
    meaning = "What has ended is not rotated or revoked again. Create a new key."


class KeyNotAccepted(Unauthenticated):
    """Missing, malformed, unknown, expired, revoked: one answer for all."""

    code = "key-not-accepted"
    title = "This needs a valid service key"
    meaning = (
        "The key is missing, malformed, unknown, expired or revoked; the answer does not say which. "
        "Send `Authorization: Bearer ans_<id>_<secret>`."
    )
    default_detail = "Send a valid service key as `Authorization: Bearer ans_<id>_<secret>`."


class TokenNotAccepted(Unauthenticated):
    """Missing, malformed, unknown, expired, revoked, of somebody who left: one answer for all."""

    code = "token-not-accepted"
    title = "This needs a valid personal token"
    meaning = (
        "The token is missing, malformed, unknown, expired or revoked; the answer does not say which. A person makes "
        "one on the page “Your sign-in” and sends `Authorization: Bearer anp_<id>_<secret>`."
    )
    default_detail = "Send a valid personal token as `Authorization: Bearer anp_<id>_<secret>`."


class PersonNeeded(Forbidden):
    code = "person-needed"
    title = "This is done by a person, not by a program"
    meaning = (
        "Some acts need somebody who answers for them: approving, loosening, confirming, overriding, accepting, "
        "adjudicating. A service key never carries them out; a personal token does, for who may."
    )
    default_detail = "A service key cannot do this. A person does, signed in or with a personal token."


class FactorNotFresh(Forbidden):
    code = "factor-not-fresh"
    title = "Prove again that it is you"
    meaning = (
        "Acts that could do harm in the wrong hands ask for a factor (passkey, code, or password) of the last 10 "
        "minutes. In the web admin the page asks for it; over the API a token made since then is taken."
    )
    default_detail = "This asks for a factor proven in the last 10 minutes. Make a new token and use it at once."


class FactorNeeded(Forbidden):
    code = "factor-needed"
    title = "Add a second factor first"
    meaning = (
        "Whoever holds a role that could do harm in the wrong hands signs in with a second factor: a passkey, or an "
        "authenticator app. Until one is there they can do nothing but add it, and stop AI systems."
    )
    default_detail = "Your roles ask for a second factor. Add one on the page “Your sign-in”."


class LastFactor(Conflict):
    code = "last-factor"
    title = "This is the only second factor there is"
    meaning = "A role of theirs asks for one. Add another one first, then remove this."
    default_detail = "A role of yours asks for a second factor. Add another one before you remove this."


class FactorNotFound(NotFound):
    code = "factor-not-found"
    title = "There is no such factor"
    meaning = "No authenticator app or passkey of this id is yours."


class CodeRefused(InvalidInput):
    code = "code-refused"
    title = "This code is not right"
    meaning = "A code is good for some 30 seconds and for one use; a recovery code works once."
    default_detail = "That code is not right, or was used already. Wait for the next one."


class PasskeyRefused(InvalidInput):
    code = "passkey-refused"
    title = "This passkey opens nothing here"
    meaning = "It is unknown, was removed, took too long, or its answer could not be verified; which, is not said."
    default_detail = "That passkey opens nothing here, or it took too long. Try again, or sign in another way."


class SignInLocked(TooManyRequests):
    code = "sign-in-locked"
    title = "Too many attempts to sign in"
    meaning = (
        "After several failed attempts no more are taken for a while, each time for longer: for this account, or from "
        "this address. It says nothing about whether there is such an account. Passkeys go on working."
    )


class FactorKeyUnavailable(Unavailable):
    code = "factor-key-unavailable"
    title = "Second factors cannot be read just now"
    meaning = "The key under which they are kept is missing, or another one. `/readyz` says what is wrong with it."


class ProviderUnavailable(Unavailable):
    code = "sign-in-provider-unavailable"
    title = "The sign-in provider cannot be asked just now"
    meaning = "It did not answer, or not as it should. Whoever has a password or a passkey signs in with that."
    default_detail = (
        "The sign-in provider does not answer as it should. Try again in a moment, or sign in with your password or "
        "passkey. The administrators' log says what was wrong."
    )


class ProviderRefused(Forbidden):
    code = "sign-in-refused"
    title = "Signing in this way did not work"
    meaning = "The provider's answer was refused, too old, or used before; or its account opens nothing here."
    default_detail = "What came back from the sign-in provider cannot be used. Start again from the sign-in page."


class TokenNotFound(NotFound):
    code = "token-not-found"
    title = "There is no such token"
    meaning = "No token of this id is yours."


class KeyOutOfScope(Forbidden):
    code = "key-out-of-scope"
    title = "This key does not reach that far"
    meaning = (
        "A key is for one environment, named AI systems and named acts. What is outside is refused in the same way "
        "whether it exists or not."
    )
    default_detail = "The key does not allow this act, or there is nothing of that name within its reach."


class RegisterStale(Unavailable):
    code = "register-stale"
    title = "The register could not be read for some seconds"
    meaning = (
        "Keys and owners are held in memory and checked against the database every second. When that fails for 5 "
        "seconds a revoked key could still be accepted, so writes are refused until it works again."
    )


class BadRequestedScope(InvalidInput):
    code = "assignment-scope-invalid"
    title = "A role cannot be given for that scope"
    meaning = "Administrators are appointed for the whole organisation; owners answer for something named."
