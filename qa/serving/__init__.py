"""Ways to ask for programs, browsers and agents."""
