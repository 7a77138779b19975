"""The queries behind notifications: what they are about, who is told, whether it still holds, and what pages list."""
