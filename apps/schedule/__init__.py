"""The calendar: freezes, windows, holds, slots, reservations."""
