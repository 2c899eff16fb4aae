"""What every address for people alone has in common."""

from typing import Any

from rest_framework.views import APIView

from governance.api.authentication import IsPerson, KeyAuthentication, PersonAuthentication


class PersonApi(APIView):
    """For people alone."""

    # a service key is known, and told that a person is needed
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (IsPerson,)
