"""Passages on a plane: `gather` chooses, `plane` places, `drawing` draws, `page` shows them."""
