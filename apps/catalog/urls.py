"""Addresses of the catalogue's pages."""

from django.urls import path

from apps.catalog.views import environments, service, targets

app_name = "catalog"
urlpatterns = [
    path("services/", service.services, name="services"),
    path("services/new/", service.new_service, name="new_service"),
    path("services/<slug:slug>/", service.service, name="service"),
    path("services/<slug:slug>/change/", service.service_change, name="service_change"),
    path("services/<slug:slug>/retirement/", service.service_retirement, name="service_retirement"),
    path("services/<slug:slug>/owners/", service.owners, name="owners"),
    path("services/<slug:slug>/owners/business/<uuid:public_id>/end/", service.owner_end, {"kind": "BUSINESS"}, name="business_owner_end"),
    path(
        "services/<slug:slug>/owners/technical/<uuid:public_id>/end/", service.owner_end, {"kind": "TECHNICAL"}, name="technical_owner_end"
    ),
    path("services/<slug:slug>/roles/", service.roles, name="service_roles"),
    path("services/<slug:slug>/roles/<slug:role>/<uuid:public_id>/end/", service.role_end, name="service_role_end"),
    path("services/<slug:slug>/targets/", service.targets, name="targets"),
    path("services/<slug:slug>/in/<slug:environment>/", targets.target, name="target"),
    path("services/<slug:slug>/in/<slug:environment>/settings/", targets.settings, name="target_settings"),
    path("services/<slug:slug>/in/<slug:environment>/lock/", targets.lock, name="target_lock"),
    path("services/<slug:slug>/in/<slug:environment>/unlocking/", targets.unlocking, name="target_unlocking"),
    path("services/<slug:slug>/in/<slug:environment>/adoption/", targets.adoption, name="adoption"),
    path("environments/", environments.environments, name="environments"),
    path("environments/new/", environments.new_environment, name="new_environment"),
    path("environments/<slug:slug>/", environments.environment, name="environment"),
    path("environments/<slug:slug>/retirement/", environments.environment_retirement, name="environment_retirement"),
]
