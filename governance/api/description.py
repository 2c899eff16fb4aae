"""How the API description names the service key and the personal token.

Loaded when the app is ready: REST framework is whole by then.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "governance.api.authentication.KeyAuthentication"
    name = "serviceKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "ans_<id>_<secret>"}


class PersonScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "governance.api.authentication.PersonAuthentication"
    name = "personalToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "anp_<id>_<secret>",
            "description": "Of a person, for some hours: made on the page “Your sign-in”. Acts that need a signed-in "
            "person take no service key; some ask for a token whose factor was proven in the last 10 minutes.",
        }
