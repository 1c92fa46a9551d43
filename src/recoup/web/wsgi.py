"""What a web server runs: `recoup.web.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recoup.settings")

application = get_wsgi_application()
