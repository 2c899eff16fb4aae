"""Signing in with the organisation's own provider: OpenID Connect, authorization code with PKCE.

The flow and what it opens are ours, the ID token's signature is PyJWT's (docs/decisions/0034).
"""
