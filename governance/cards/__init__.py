"""What a system card says: its sections and fields, what must be there and why, and the scope it declares."""
