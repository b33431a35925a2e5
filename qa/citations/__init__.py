"""Citations: made from the file as it is now; found from their text; checked once saved."""
