"""What bytes are: the format of a file (`sniffing`), the encoding of a text (`decoding`)."""
