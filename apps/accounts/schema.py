"""What the OpenAPI file says about personal tokens."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class PersonalTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular registers it untyped
    """`Authorization: Bearer ccp_…`."""

    target_class = "apps.accounts.authentication.PersonalToken"
    name = "personalToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """The security scheme."""
        del auto_schema
        return {"type": "http", "scheme": "bearer", "bearerFormat": "ccp_…", "description": "A personal token, issued on the profile page."}
