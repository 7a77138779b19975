"""The addresses of deployments."""

from django.urls import path

from apps.deployments import undeclared, views

app_name = "deployments"

urlpatterns = [
    path("", views.deployments, name="deployments"),
    path("<int:number>/", views.deployment, name="deployment"),
    path("<int:number>/log/", views.log, name="log"),
    path("<int:number>/stop/", views.stop, name="stop"),
    path("<int:number>/way-back/", views.roll_back, name="roll_back"),
    path("<int:number>/settlement/", views.settle, name="settle"),
    path("undeclared/", undeclared.everything, name="undeclared"),
    path("undeclared/<int:number>/", undeclared.one, name="undeclared_one"),
    path("undeclared/<int:number>/settlement/", undeclared.settle, name="undeclared_settlement"),
    path("orders/<uuid:leg_id>/", views.order, name="order"),
]
