"""Every address of the house."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("", include("recoup.web.console.urls"))]

handler403 = "recoup.web.console.views.errors.refuse"
handler404 = "recoup.web.console.views.errors.miss"
handler500 = "recoup.web.console.views.errors.fail"
