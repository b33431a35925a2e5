"""What is indexed, as tables for other programs: rows of one moment, written as they come."""
