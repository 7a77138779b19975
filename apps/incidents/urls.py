"""The addresses of incidents."""

from django.urls import path

from apps.incidents import views

app_name = "incidents"

urlpatterns = [
    path("", views.incidents, name="incidents"),
    path("new/", views.new, name="new"),
    path("<int:number>/", views.incident, name="incident"),
    path("<int:number>/timeline/", views.note, name="note"),
    path("<int:number>/timeline/<uuid:entry_id>/correction/", views.correction, name="correction"),
    path("<int:number>/recovery/", views.recover, name="recover"),
    path("<int:number>/resolution/", views.resolve, name="resolve"),
]
