"""The reference of single posts: what the server, the middleware and REST framework cost without any work of ours."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Noop(APIView):
    """Reads the body, says so. No authentication, no permission, no throttle, no database, no JSON decoded."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def post(self, request: Request) -> Response:
        body: Any = request.body
        return Response({"bytes": len(body)}, status=201)
