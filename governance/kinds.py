"""Entry kinds of the register. An act on one AI system goes to that system's log, people and keys to the registry."""

from ledger.kinds import Belongs, Kind

SYSTEM_REGISTERED = Kind("system.registered", Belongs.SYSTEM, "an AI system was put in the register")
SYSTEM_UPDATED = Kind("system.updated", Belongs.SYSTEM, "what the register says about an AI system changed")
ENVIRONMENT_REGISTERED = Kind("environment.registered", Belongs.SYSTEM, "an AI system runs in one more place")
ENVIRONMENT_ENDED = Kind("environment.ended", Belongs.SYSTEM, "an AI system does not run in a place any more")
MODEL_VERSION_REGISTERED = Kind("model_version.registered", Belongs.SYSTEM, "a model version was put in the register")
MODEL_VERSION_UPDATED = Kind("model_version.updated", Belongs.SYSTEM, "what the register says about a version changed")
MODEL_VERSION_APPROVED = Kind("model_version.approved", Belongs.SYSTEM, "the accountable person approved a version")
MODEL_VERSION_RETIRED = Kind("model_version.retired", Belongs.SYSTEM, "a version is not to run any more")

PERSON_REGISTERED = Kind("person.registered", Belongs.REGISTRY, "a member of staff was put in the register")
PERSON_UPDATED = Kind("person.updated", Belongs.REGISTRY, "what the register says about a person changed")
PERSON_DEACTIVATED = Kind("person.deactivated", Belongs.REGISTRY, "a person left: nothing they held counts any more")
CREDENTIALS_SET = Kind("credentials.set", Belongs.REGISTRY, "somebody set a person's password, or gave out a link to")
SETUP_LINK_ISSUED = Kind("setup_link.issued", Belongs.REGISTRY, "a one-time link to set a password was given out")
ADMINISTRATOR_BOOTSTRAPPED = Kind("administrator.bootstrapped", Belongs.REGISTRY, "the first administrator")

ASSIGNMENT_PROPOSED = Kind("assignment.proposed", Belongs.SCOPE, "an assignment waits for a second administrator")
ASSIGNMENT_OFFERED = Kind("assignment.offered", Belongs.SCOPE, "an assignment waits for its holder's acceptance")
ASSIGNMENT_ACCEPTED = Kind("assignment.accepted", Belongs.SCOPE, "the holder accepted: it counts from here on")
ASSIGNMENT_DECLINED = Kind("assignment.declined", Belongs.SCOPE, "the holder said no")
ASSIGNMENT_REFUSED = Kind("assignment.refused", Belongs.SCOPE, "the second administrator said no")
ASSIGNMENT_ENDED = Kind("assignment.ended", Belongs.SCOPE, "it counts no more")
ASSIGNMENT_DELEGATED = Kind("assignment.delegated", Belongs.SCOPE, "the holder asked somebody to stand beside them")

SERVICE_ACCOUNT_REGISTERED = Kind("service_account.registered", Belongs.REGISTRY, "a program may be given keys")
SERVICE_ACCOUNT_UPDATED = Kind("service_account.updated", Belongs.REGISTRY, "its owner, name or activity changed")
SERVICE_KEY_CREATED = Kind("service_key.created", Belongs.SCOPE, "a key was made and shown once")
SERVICE_KEY_UPDATED = Kind("service_key.updated", Belongs.SCOPE, "a key reaches an AI system that it registered")
SERVICE_KEY_ROTATED = Kind("service_key.rotated", Belongs.SCOPE, "a key got a successor and ends after an overlap")
SERVICE_KEY_REVOKED = Kind("service_key.revoked", Belongs.SCOPE, "a key is not accepted any more")

TOKEN_CREATED = Kind("token.created", Belongs.REGISTRY, "a person made a token for calling the API")
TOKEN_REVOKED = Kind("token.revoked", Belongs.REGISTRY, "a person's token is not accepted any more")
FACTOR_ENROLLED = Kind("factor.enrolled", Belongs.REGISTRY, "a person added an authenticator app or a passkey")
FACTOR_RENAMED = Kind("factor.renamed", Belongs.REGISTRY, "a person gave a passkey another name")
FACTOR_REMOVED = Kind("factor.removed", Belongs.REGISTRY, "an authenticator app or a passkey opens nothing any more")
FACTORS_RESET = Kind("factors.reset", Belongs.REGISTRY, "somebody removed all second factors of a person")
RECOVERY_CODES_MADE = Kind("recovery_codes.made", Belongs.REGISTRY, "a person made new recovery codes")
RECOVERY_CODE_USED = Kind("recovery_code.used", Belongs.REGISTRY, "a person signed in with a recovery code")
SIGN_IN_LOCKED = Kind("signin.locked", Belongs.REGISTRY, "too many attempts to sign in: no more are taken for a while")
