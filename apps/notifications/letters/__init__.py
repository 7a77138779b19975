"""What mails say. Written when they are sent, from what is true then, and kept nowhere."""

from apps.notifications.letters.writing import Written, letter_of, write_mail

__all__ = ["Written", "letter_of", "write_mail"]
