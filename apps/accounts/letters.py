"""Letters that people need before they can sign in. What waits for them afterwards is told by the notifications."""

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from apps.accounts.models import Person


def send_invitation(person: Person, link: str, *, by: Person) -> str:
    """Send a one-time link to the person alone; what went wrong, or nothing. The link is written nowhere else."""
    subject = f"Your way in to Change Control at {settings.ORGANISATION}"
    text = render_to_string(
        "account/email/invitation_message.txt", {"person": person, "link": link, "by": by, "organisation": settings.ORGANISATION}
    )
    try:
        send_mail(" ".join(subject.split()), text, None, [person.email])
    except (SMTPException, OSError) as error:
        return f"{type(error).__name__}."
    return ""
