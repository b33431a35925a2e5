"""Text formats: functions from a text to its sections, whose offsets are those of the file."""
